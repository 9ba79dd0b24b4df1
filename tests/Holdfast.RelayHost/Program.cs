using System.Globalization;
using System.Net;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;
using Holdfast.RelayHost;

// successor DOWNSTREAM-FD UPSTREAM-FD IMAGE: continues one saved pair; says "ready", then how it ended.
// loop ENDPOINT-PORT: a listening loop; says its port; answers each line on stdin with "pauses established"; ends at the end of stdin.
var policy = new PassThroughPolicy();
using var loop = new EventLoop(0, policy, new LoopClock());
switch (args)
{
    case ["successor", var downstream, var upstream, var image]:
        loop.Start();
        var bytes = File.ReadAllBytes(image);
        loop.Post(l =>
        {
            if (!PairImage.Attach(l.Core, l.Relay, l.Held, _ => null, bytes, Number(downstream), Number(upstream)))
                Environment.FailFast("the image does not fit");
        });
        Console.WriteLine("ready");
        var end = policy.Ends.Take();
        Console.WriteLine($"{end.Reason} {end.CloseCode} {end.MessagesFromClient} {end.MessagesFromEndpoint}");
        return 0;

    case ["loop", var port]:
        policy.Target = _ => new IPEndPoint(IPAddress.Loopback, Number(port));
        var fd = EventLoop.OpenListener(new IPEndPoint(IPAddress.Loopback, 0), out var bound);
        loop.Listen(fd, 0, null);
        loop.Start();
        Console.WriteLine(bound.Port);
        while (Console.ReadLine() is not null)
            Console.WriteLine($"{loop.AcceptPauses} {loop.Established}");
        return 0;

    default:
        return 2;
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
