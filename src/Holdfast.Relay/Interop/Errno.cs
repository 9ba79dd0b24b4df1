namespace Holdfast.Relay.Interop;

/// <summary>The errno values that decide something, with Linux's numbers (the same on x64 and arm64).</summary>
public enum Errno
{
    None = 0,
    NoSuchFile = 2,
    Interrupted = 4,
    BadDescriptor = 9,
    Again = 11,
    NotADirectory = 20,
    IsADirectory = 21,
    Invalid = 22,
    TooManyOpenFilesInSystem = 23,
    TooManyOpenFiles = 24,
    IllegalSeek = 29,
    BrokenPipe = 32,
    NotImplemented = 38,
    TooManyLinks = 40,
    NotASocket = 88,
    ConnectionReset = 104,
    NoBufferSpace = 105,
    TimedOut = 110,
    ConnectionRefused = 111,
    HostUnreachable = 113,
    InProgress = 115,
    OutOfMemory = 12,
    AddressInUse = 98,
    CannotAssignAddress = 99,
    AccessDenied = 13,
}
