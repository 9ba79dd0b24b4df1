using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace Holdfast.Relay.Interop;

/// <summary>The libc calls, as they are. Callers use <see cref="Sys"/>, which retries EINTR and turns errno into a result.</summary>
internal static unsafe partial class Libc
{
    private const string Name = "libc";

    [LibraryImport(Name)] internal static partial nint recv(int fd, byte* buffer, nint length, int flags);
    [LibraryImport(Name)] internal static partial nint send(int fd, byte* buffer, nint length, int flags);
    [LibraryImport(Name)] internal static partial nint read(int fd, byte* buffer, nint length);
    [LibraryImport(Name)] internal static partial nint write(int fd, byte* buffer, nint length);
    [LibraryImport(Name)] internal static partial int close(int fd);
    [LibraryImport(Name)] internal static partial int open(byte* path, int flags);
    [LibraryImport(Name)] internal static partial nint lseek(int fd, nint offset, int whence);
    [LibraryImport(Name)] internal static partial int shutdown(int fd, int how);
    [LibraryImport(Name)] internal static partial int socket(int domain, int type, int protocol);
    [LibraryImport(Name)] internal static partial int socketpair(int domain, int type, int protocol, int* pair);
    [LibraryImport(Name)] internal static partial int bind(int fd, byte* address, uint length);
    [LibraryImport(Name)] internal static partial int listen(int fd, int backlog);
    [LibraryImport(Name)] internal static partial int accept4(int fd, byte* address, uint* length, int flags);
    [LibraryImport(Name)] internal static partial int connect(int fd, byte* address, uint length);
    [LibraryImport(Name)] internal static partial int setsockopt(int fd, int level, int option, void* value, uint length);
    [LibraryImport(Name)] internal static partial int getsockopt(int fd, int level, int option, void* value, uint* length);
    [LibraryImport(Name)] internal static partial int getsockname(int fd, byte* address, uint* length);
    [LibraryImport(Name)] internal static partial int epoll_create1(int flags);
    [LibraryImport(Name)] internal static partial int epoll_ctl(int epoll, int operation, int fd, void* item);
    [LibraryImport(Name)] internal static partial int epoll_wait(int epoll, void* events, int capacity, int timeoutMs);
    [LibraryImport(Name)] internal static partial int epoll_pwait2(int epoll, void* events, int capacity, long* timeout, void* signals);
    [LibraryImport(Name)] internal static partial int eventfd(uint initial, int flags);
    [LibraryImport(Name)] internal static partial int fcntl(int fd, int command, nint argument);
    [LibraryImport(Name)] internal static partial int getrlimit(int resource, ulong* limits);
    [LibraryImport(Name)] internal static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);
    [LibraryImport(Name)] internal static partial int munmap(void* address, nuint length);
}
