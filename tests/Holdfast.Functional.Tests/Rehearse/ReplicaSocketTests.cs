using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Replicas;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Rehearse;

/// <summary>What a replica does with its clients' messages while it ends.</summary>
public sealed class ReplicaSocketTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("holdfast-replica-");

    [Fact]
    public async Task A_message_that_comes_before_the_goodbye_is_said_is_taken()
    {
        using var listener = RawPeer.Listen();
        using var client = RawPeer.Connect((IPEndPoint)listener.LocalEndPoint!);
        using var accepted = RawPeer.Accept(listener);
        var clock = new RunClock(TimeProvider.System);
        using var journal = new Journal(_folder.FullName, "replica-1", 1, clock);
        var app = new ReplicaApp(RehearseProtocol.Json, journal, clock, new Random(1), TimeProvider.System);
        using var stream = new GatedStream(accepted.Socket);
        using var socket = WebSocket.CreateFromStream(stream, isServer: true, null, Timeout.InfiniteTimeSpan);
        using var replica = new JsonSocket(socket, 1, app);
        using var stopping = new CancellationTokenSource();
        var serving = replica.ServeAsync(stopping.Token);

        // Its goodbye cannot leave yet.
        await stopping.CancelAsync();
        client.Send(Frames.FromClient(Frames.Text, """{"op":"order","conn":7,"n":1}"""u8));
        await Processes.UntilAsync(() => Entries().Contains("M 7 1 ", StringComparison.Ordinal), "the message was taken");

        stream.Open();
        Assert.Equal(1001, client.ReceiveFrame().CloseCode);
        client.Send(Frames.CloseFrame(client: true, 1001));
        await serving;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string Entries()
    {
        using var file = new FileStream(_folder.GetFiles().Single().FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd();
    }

    /// <summary>Writes wait until it is opened.</summary>
    private sealed class GatedStream(Socket socket) : NetworkStream(socket)
    {
        private readonly TaskCompletionSource _isOpen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Open() => _isOpen.SetResult();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _isOpen.Task;
            await base.WriteAsync(buffer, cancellationToken);
        }
    }
}
