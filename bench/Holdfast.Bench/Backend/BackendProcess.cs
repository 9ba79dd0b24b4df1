using System.Text.Json;
using Holdfast.Bench.Crowds;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Backend;

/// <summary>
/// The echo backend in a process of its own, with a bound on its handshakes. It says its endpoints; orders: "reset", "stats" (answered with
/// <see cref="DeskCounts"/>).
/// </summary>
internal static class BackendProcess
{
    private const ulong OrdersToken = ulong.MaxValue, FirstToken = 1;

    public static int Run(int addresses, int ratePerSecond, int line)
    {
        var desk = new UpgradeDesk(ratePerSecond, line);
        using var backend = new EchoBackend(addresses, desk);
        using var epoll = new Epoll(512);
        using var orders = new Orders(epoll, OrdersToken);
        backend.Attach(epoll, FirstToken);
        Console.WriteLine(string.Join(',', backend.Endpoints));
        while (true)
        {
            var n = epoll.WaitMicroseconds(desk.Step());
            for (var i = 0; i < n; i++)
            {
                var events = epoll.Get(i, out var token);
                if (token != OrdersToken)
                    backend.OnEvents(token - FirstToken, events);
                else if (!Obey(orders, desk))
                    return 0;
            }
        }
    }

    private static bool Obey(Orders orders, UpgradeDesk desk)
    {
        while (orders.TryTake(out var order))
        {
            if (order is null)
                return false;
            if (order == "reset")
                desk.Reset();
            else
                Console.WriteLine(JsonSerializer.Serialize(desk.Counts));
        }

        return true;
    }
}
