namespace Holdfast.Testing;

/// <summary>What a test needs of the machine.</summary>
public static class Requires
{
    /// <summary>Null when the tool is on the PATH, else why the test must skip. Throws instead where CI=true: there a missing tool must not look green.</summary>
    public static string? Tool(string name)
    {
        if (Find(name) is not null)
            return null;
        var reason = $"{name} is not installed (not on the PATH); ./test installs it where it may";
        return Environment.GetEnvironmentVariable("CI") == "true" ? throw new InvalidOperationException(reason) : reason;
    }

    /// <summary>The tool's file, or null.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Append("/usr/sbin").Select(d => Path.Combine(d, name)).FirstOrDefault(File.Exists);
}
