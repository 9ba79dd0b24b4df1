using System.Globalization;

namespace Holdfast.Bench.Proc;

internal static class ProcessTree
{
    /// <summary>The process and its descendants.</summary>
    public static List<int> Of(int pid)
    {
        var parents = new List<(int Pid, int Parent)>();
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var candidate))
                continue;
            try
            {
                var stat = File.ReadAllText(directory + "/stat");
                parents.Add((candidate, int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture)));
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        var tree = new List<int> { pid };
        for (var i = 0; i < tree.Count; i++)
            tree.AddRange(parents.Where(p => p.Parent == tree[i]).Select(p => p.Pid));
        return tree;
    }
}
