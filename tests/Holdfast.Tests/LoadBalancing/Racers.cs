namespace Holdfast.Tests.LoadBalancing;

/// <summary>Threads of their own, so that a race does not depend on the pool's mood; what one throws fails the test, not the process.</summary>
internal static class Racers
{
    public static void Run(int threads, Action<int> body, Action? meanwhile = null)
    {
        var faults = new List<Exception>();
        var running = threads;
        var all = Enumerable.Range(0, threads).Select(n => new Thread(() =>
        {
            try
            {
                body(n);
            }
            catch (Exception e)
            {
                lock (faults)
                    faults.Add(e);
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        })).ToArray();
        foreach (var thread in all)
            thread.Start();
        while (meanwhile is not null && Volatile.Read(ref running) > 0)
        {
            meanwhile();
            Thread.Yield();
        }

        foreach (var thread in all)
            thread.Join();
        if (faults.Count > 0)
            throw new AggregateException(faults);
    }
}
