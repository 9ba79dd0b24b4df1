using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>What all endpoints of one history did together.</summary>
internal sealed class GraphQlWorld
{
    /// <summary>By the number of the operation: how often it was executed.</summary>
    public Dictionary<int, int> Executed { get; } = [];
}

/// <summary>A server as the reference server is (https://github.com/enisdenjo/graphql-ws/blob/master/src/server.ts); where that would close, the test fails.</summary>
internal sealed class GraphQlModelServer(GraphQlWorld world) : ModelServer
{
    private bool _hasInit;
    private bool _isAcknowledged;

    /// <summary>By id: the number of the operation, and whether it is a subscription.</summary>
    public Dictionary<string, (int Number, bool IsSubscription)> Live { get; } = [];

    public override void Act(Random random)
    {
        if (_hasInit && !_isAcknowledged)
        {
            _isAcknowledged = true;
            Say("""{"type":"connection_ack","payload":{"by":"model"}}""");
            return;
        }

        if (random.Next(8) == 0)
            Say("""{"type":"ping"}""");
        if (Live.Count == 0)
            return;
        var (id, operation) = Live.ElementAt(random.Next(Live.Count));
        var kind = random.Next(10);
        if (!operation.IsSubscription)
        {
            End(id, isError: kind == 0);
            return;
        }

        if (kind < 8)
            Say(Next(id));
        else
            End(id, isError: kind == 8);
    }

    /// <summary>Answers every request.</summary>
    public void Finish()
    {
        if (_hasInit && !_isAcknowledged)
            Act(new Random(0));
        foreach (var id in Live.Where(static pair => !pair.Value.IsSubscription).Select(static pair => pair.Key).ToArray())
            End(id, isError: false);
    }

    protected override void OnMessage(byte[] message)
    {
        using var parsed = JsonDocument.Parse(message);
        var read = parsed.RootElement;
        var id = ModelJson.Text(read, "id");
        switch (ModelJson.Text(read, "type"))
        {
            case "connection_init":
                Assert.False(_hasInit, "4429: Too many initialisation requests");
                _hasInit = true;
                break;
            case "subscribe":
                Assert.True(_isAcknowledged, "4401: Unauthorized");
                var payload = read.GetProperty("payload");
                var number = payload.GetProperty("variables").GetProperty("n").GetInt32();
                var isSubscription = ModelJson.Text(payload, "query")!.Contains("subscription", StringComparison.Ordinal);
                Assert.True(Live.TryAdd(id!, (number, isSubscription)), "4409: Subscriber already exists");
                if (!isSubscription)
                    world.Executed[number] = world.Executed.GetValueOrDefault(number) + 1;
                break;
            case "complete":
                Live.Remove(id!);
                break;
            case "ping":
                Say(read.TryGetProperty("payload", out var sent) ? $$"""{"type":"pong","payload":{{sent.GetRawText()}}}""" : """{"type":"pong"}""");
                break;
            case "pong":
                break;
            default:
                Assert.Fail("4400: Invalid message");
                break;
        }
    }

    private void End(string id, bool isError)
    {
        if (isError)
        {
            Say($$"""{"id":{{ModelJson.Quote(id)}},"type":"error","payload":[{"message":"no"}]}""");
        }
        else
        {
            if (!Live[id].IsSubscription)
                Say(Next(id));
            Say($$"""{"id":{{ModelJson.Quote(id)}},"type":"complete"}""");
        }

        Live.Remove(id);
    }

    private string Next(string id) => $$$"""{"id":{{{ModelJson.Quote(id)}}},"type":"next","payload":{"data":{"n":{{{Live[id].Number}}} } } }""";

    private void Say(string message) => FromServer.Enqueue(ModelJson.Bytes(message));
}

/// <summary>A client as the npm client is, and stricter: it fails over a message for an operation that has ended.</summary>
internal sealed class GraphQlModelClient(Queue<byte[]> toGateway)
{
    private static readonly string[] Ids = ["1", "a\"b\\", "\u0001\n", "\ud83d\ude00", "\ud800", "an-id-as-long-as-the-36-of-a-client-is"];
    private readonly List<string> _pings = [];

    /// <summary>Ids that this client has completed itself: messages may still be on their way.</summary>
    private readonly HashSet<string> _left = [];
    private bool _hasInit;
    private bool _isAcknowledged;
    private int _number;

    /// <summary>By id: the number of the operation and whether it is a subscription.</summary>
    public Dictionary<string, (int Number, bool IsSubscription)> Live { get; } = [];

    public int Pings => _pings.Count;

    public void Act(Random random)
    {
        if (!_hasInit)
        {
            if (random.Next(3) == 0)
                Ping(random);
            _hasInit = true;
            Say("""{"type":"connection_init","payload":{"token":"t"}}""");
            return;
        }

        switch (random.Next(8))
        {
            case 0:
                Ping(random);
                break;
            case 1 or 2 when Live.Count > 0:
                var id = Live.ElementAt(random.Next(Live.Count)).Key;
                Live.Remove(id);
                _left.Add(id);
                Say($$"""{"type":"complete","id":{{Quote(id, random)}}}""");
                break;
            default:
                if (_isAcknowledged)
                    Subscribe(random);
                break;
        }
    }

    public void Read(byte[] message)
    {
        using var parsed = JsonDocument.Parse(message);
        var read = parsed.RootElement;
        var type = ModelJson.Text(read, "type");
        if (type == "ping")
        {
            Say("""{"type":"pong"}""");
            return;
        }

        if (type == "pong")
        {
            Assert.True(_pings.Remove(read.TryGetProperty("payload", out var payload) ? payload.GetRawText() : ""), "a pong that was not asked for");
            return;
        }

        if (!_isAcknowledged)
        {
            Assert.Equal("connection_ack", type);
            Assert.True(_hasInit);
            _isAcknowledged = true;
            return;
        }

        Assert.NotEqual("connection_ack", type);
        var id = ModelJson.Text(read, "id")!;
        if (_left.Contains(id))
            return;
        Assert.True(Live.TryGetValue(id, out var operation), $"a {type} for what has ended");
        if (type == "next")
            Assert.Equal(operation.Number, read.GetProperty("payload").GetProperty("data").GetProperty("n").GetInt32());
        else
            Assert.True(Live.Remove(id));
    }

    /// <summary>Escaped in one way or another.</summary>
    private static string Quote(string id, Random random) => ModelJson.Quote(id, c => c is < ' ' or '"' or '\\' || char.IsSurrogate(c) || random.Next(4) == 0);

    private void Ping(Random random)
    {
        var payload = random.Next(2) == 0 ? "" : $$"""{"at":{{_number++}}}""";
        _pings.Add(payload);
        Say(payload.Length == 0 ? """{"type":"ping"}""" : $$"""{"type":"ping","payload":{{payload}}}""");
    }

    private void Subscribe(Random random)
    {
        // An id that this client has left is not used again: messages of the first use may be on their way, which is so without a gateway too.
        var id = Ids[random.Next(Ids.Length)] + (random.Next(3) == 0 ? "" : random.Next(8).ToString(CultureInfo.InvariantCulture));
        if (Live.ContainsKey(id) || _left.Contains(id))
            return;
        var number = ++_number;
        var kind = random.Next(3);
        var query = kind switch
        {
            0 => "query Q { a }",
            1 => "mutation { b(text: \\\"{\\\") }",
            _ => "# prices\\nsubscription ($n: Int = 1) { c(n: $n) }",
        };
        Live.Add(id, (number, kind == 2));
        Say($$$"""{"id":{{{Quote(id, random)}}},"type":"subscribe","payload":{"query":"{{{query}}}","variables":{"n":{{{number}}} } } }""");
    }

    private void Say(string message) => toGateway.Enqueue(ModelJson.Bytes(message));
}
