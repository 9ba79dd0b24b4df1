using System.Runtime.InteropServices;
using System.Text;

namespace Holdfast.Relay.Interop;

/// <summary>Reads files that somebody else may replace by anything at any moment: the runtime's own open would wait for ever on a FIFO.</summary>
public static unsafe class FileBytes
{
    private const int NonBlock = 0x800, NoControllingTerminal = 0x100, CloExec = 0x80000;
    private const int SeekCurrent = 1;
    private const int Chunk = 16 * 1024;

    /// <summary>
    /// The first bytes of a file, as many as there are but never more than <paramref name="most"/>. 0, or a negated <see cref="Errno"/>:
    /// <see cref="Errno.IllegalSeek"/> for a pipe, of which nothing is read. Waits for a disk or a file server, for nothing else.
    /// </summary>
    public static int Read(string path, int most, out byte[] bytes)
    {
        bytes = [];
        int fd;
        fixed (byte* p = Encoding.UTF8.GetBytes(path + '\0'))
        {
            do
                fd = Check(Libc.open(p, NonBlock | NoControllingTerminal | CloExec));
            while (fd == -(int)Errno.Interrupted);
        }

        if (fd < 0)
            return fd;
        try
        {
            var seek = Check((int)Math.Min(Libc.lseek(fd, 0, SeekCurrent), int.MaxValue));
            return seek < 0 ? seek : Read(fd, most, out bytes);
        }
        finally
        {
            Sys.Close(fd);
        }
    }

    private static int Read(int fd, int most, out byte[] bytes)
    {
        // To the end, not to the length that stat tells: the file may grow meanwhile, and a device has none.
        bytes = new byte[Math.Min(Chunk, most)];
        var length = 0;
        while (length < most)
        {
            if (length == bytes.Length)
                Array.Resize(ref bytes, Math.Min(most, bytes.Length * 2));
            int n;
            fixed (byte* p = bytes)
                n = Check((int)Libc.read(fd, p + length, bytes.Length - length));
            if (n == -(int)Errno.Interrupted)
                continue;
            if (n < 0)
                return n;
            if (n == 0)
                break;
            length += n;
        }

        Array.Resize(ref bytes, length);
        return 0;
    }

    private static int Check(int result) => result >= 0 ? result : -Marshal.GetLastSystemError();
}
