namespace Holdfast.Testing;

/// <summary>What a test needs of the machine.</summary>
public static class Requires
{
    /// <summary>Null when the tool is on the PATH, else why the test must skip. Throws instead where CI=true: there a missing tool must not look green.</summary>
    public static string? Tool(string name) =>
        Find(name) is not null ? null : Missing($"{name} is not installed (not on the PATH); ./test installs it where it may");

    /// <summary>As <see cref="Tool"/>, for a file or folder of a Debian package.</summary>
    public static string? Package(string name, string path) =>
        Path.Exists(path) ? null : Missing($"{name} is not installed ({path}); ./test installs it where it may");

    /// <summary>As <see cref="Tool"/>, for a process that may mount and change its user.</summary>
    public static string? Root() => Environment.IsPrivilegedProcess ? null : Missing("only root may do this");

    /// <summary>As <see cref="Tool"/>, for the folder of Kubernetes' schemas beside the repository.</summary>
    public static string? Schemas(string folder) => Directory.Exists(folder) ? null : Missing($"there are no Kubernetes schemas in {folder}");

    /// <summary>The tool's file, or null.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Append("/usr/sbin").Select(d => Path.Combine(d, name)).FirstOrDefault(File.Exists);

    private static string Missing(string reason) =>
        Environment.GetEnvironmentVariable("CI") == "true" ? throw new InvalidOperationException(reason) : reason;
}
