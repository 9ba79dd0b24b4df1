namespace Holdfast.Cli.Rehearse;

/// <summary>Programs of the machine.</summary>
internal static class Tools
{
    /// <summary>On the PATH, or where Debian has daemons, which is on root's PATH only; null: not installed.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Append("/usr/sbin").Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
