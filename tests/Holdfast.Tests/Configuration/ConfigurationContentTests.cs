using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Xunit;

namespace Holdfast.Tests.Configuration;

/// <summary>Whatever stands in the file's place is told apart, soon and within bounds.</summary>
public sealed class ConfigurationContentTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;

    private string File => Path.Combine(_directory, "gateway.yaml");

    [Fact]
    public void A_file_is_its_bytes_under_their_SHA_256()
    {
        var bytes = Encoding.UTF8.GetBytes("listeners: [{name: web, address: \"127.0.0.1:0\"}]\n");
        System.IO.File.WriteAllBytes(File, bytes);
        foreach (var content in (ConfigurationContent[])[ConfigurationContent.Read(File), ConfigurationContent.ReadAtStart(File)])
        {
            Assert.Equal(new ContentIdentity(Convert.ToHexStringLower(SHA256.HashData(bytes)), null), content.Identity);
            Assert.True(content.CanChange);
            Assert.Equal("web", content.Parse().Configuration!.Listeners[0].Name);
        }
    }

    [Theory]
    [InlineData("nothing", "there is no such file")]
    [InlineData("dangling link", "there is no such file")]
    [InlineData("link to itself", "its symbolic links lead in a circle")]
    [InlineData("directory", "it is a directory")]
    [InlineData("socket", "the system refused")]
    [InlineData("empty", "the file is empty")]
    [InlineData("huge", "the file is larger than 1 MiB")]
    [InlineData("endless", "the file is larger than 1 MiB")]
    [InlineData("garbage", "not UTF-8")]
    [InlineData("null device", "the file is empty")]
    public void What_is_no_configuration_is_one_fault_that_says_why(string what, string message)
    {
        using var end = Put(what);
        var fault = Assert.Single(ConfigurationContent.Read(File).Parse().Faults);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.Equal(File, fault.File);
        Assert.Equal(ConfigurationContent.Read(File).Identity, ConfigurationContent.Read(File).Identity);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_FIFO_is_not_waited_for(bool withWriter)
    {
        Run("mkfifo", File);
        // Open for reading too, or this open would itself wait.
        using var writer = withWriter ? new FileStream(File, FileMode.Open, FileAccess.ReadWrite) : null;
        writer?.Write("listeners"u8);
        writer?.Flush();
        Assert.Contains("it is a pipe", Assert.Single(ConfigurationContent.Read(File).Parse().Faults).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_the_start_a_pipe_is_read_to_its_end_and_known_not_to_change()
    {
        Run("mkfifo", File);
        var reading = Task.Run(() => ConfigurationContent.ReadAtStart(File), TestContext.Current.CancellationToken);
        await System.IO.File.WriteAllTextAsync(File, "listeners: [{name: web, address: \"127.0.0.1:0\"}]", TestContext.Current.CancellationToken);
        var content = await reading;
        Assert.False(content.CanChange);
        Assert.Empty(content.Parse().Faults);
    }

    [Fact]
    public void Of_a_huge_file_no_more_is_read_than_a_configuration_may_have()
    {
        using var end = Put("huge");
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = ConfigurationContent.Read(File);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 4 * ConfigurationReader.MaxFileBytes);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    private System.Net.Sockets.Socket? Put(string what)
    {
        switch (what)
        {
            case "nothing":
                return null;
            case "dangling link":
                System.IO.File.CreateSymbolicLink(File, Path.Combine(_directory, "gone"));
                return null;
            case "link to itself":
                System.IO.File.CreateSymbolicLink(File, File);
                return null;
            case "directory":
                Directory.CreateDirectory(File);
                return null;
            case "socket":
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
                socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(File));
                return socket;
            case "empty":
                System.IO.File.WriteAllBytes(File, []);
                return null;
            case "huge":
                using (var file = System.IO.File.Create(File))
                    file.SetLength(1L << 40);
                return null;
            case "endless":
                System.IO.File.CreateSymbolicLink(File, "/dev/zero");
                return null;
            case "garbage":
                System.IO.File.WriteAllBytes(File, [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * 7 | 0x80))]);
                return null;
            case "null device":
                System.IO.File.CreateSymbolicLink(File, "/dev/null");
                return null;
            default:
                throw new ArgumentException(what, nameof(what));
        }
    }
}
