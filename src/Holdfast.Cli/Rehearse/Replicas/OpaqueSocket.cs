using System.Buffers.Text;
using System.Globalization;
using System.Net.WebSockets;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>Answers whoever asks: it knows nothing of a connection but what its messages say.</summary>
internal sealed class OpaqueSocket(WebSocket socket, long stream, ReplicaApp app) : ReplicaSocket(socket, stream, app)
{
    protected override void Take(ReadOnlySpan<byte> message)
    {
        if (Utf8Parser.TryParse(message, out int connection, out var length) && length < message.Length
            && Utf8Parser.TryParse(message[(length + 1)..], out int sequence, out _))
        {
            Answer(connection, sequence);
        }
    }

    protected override string AnswerText(int connection, int sequence, long counter, long took) =>
        string.Create(CultureInfo.InvariantCulture, $"{connection} {sequence} {Stream} {counter} {took}");
}
