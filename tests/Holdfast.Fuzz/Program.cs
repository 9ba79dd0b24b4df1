using System.Diagnostics;
using System.Globalization;

namespace Holdfast.Fuzz;

internal static class Program
{
    /// <summary>Holdfast.Fuzz TARGET|all SECONDS [SEED]: 0 when nothing was found, 1 with a crasher saved, 2 on bad usage.</summary>
    private static int Main(string[] args)
    {
        if (args.Length is < 2 or > 3
            || (args[0] != "all" && !FuzzTargets.All.ContainsKey(args[0]))
            || !int.TryParse(args[1], CultureInfo.InvariantCulture, out int seconds)
            || !TrySeed(args, out int seed))
        {
            Console.Error.WriteLine("usage: Holdfast.Fuzz TARGET|all SECONDS [SEED]");
            Console.Error.WriteLine("targets: " + string.Join(' ', FuzzTargets.All.Keys));
            return 2;
        }

        bool clean = true;
        foreach (string name in args[0] == "all" ? FuzzTargets.All.Keys : [args[0]])
            clean &= Run(name, TimeSpan.FromSeconds(seconds), seed);
        return clean ? 0 : 1;
    }

    private static bool TrySeed(string[] args, out int seed)
    {
        seed = Environment.ProcessId;
        return args.Length < 3 || int.TryParse(args[2], CultureInfo.InvariantCulture, out seed);
    }

    private static bool Run(string name, TimeSpan duration, int seed)
    {
        FuzzTarget target = FuzzTargets.All[name];
        var random = new Random(seed);
        var mutator = new Mutator(random);
        List<byte[]> pool = [[], .. Corpus.Load(name)];
        int kept = pool.Count;
        long runs = 0;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration; runs++)
        {
            byte[] input = mutator.Mutate(pool[random.Next(pool.Count)], pool);
            try
            {
                target(input);
            }
            catch (Exception failure)
            {
                Console.Error.WriteLine($"{name}: {failure.GetType().Name}: {failure.Message}");
                Console.Error.WriteLine($"{name}: seed {seed}, run {runs}, saved as {Corpus.SaveCrasher(name, input)}");
                return false;
            }

            // A few mutants live on for a while, so that changes add up.
            if (random.Next(50) == 0)
            {
                if (pool.Count < kept + 256)
                    pool.Add(input);
                else
                    pool[kept + random.Next(256)] = input;
            }
        }

        Console.WriteLine($"{name}: {runs} runs, seed {seed}, nothing found");
        return true;
    }
}
