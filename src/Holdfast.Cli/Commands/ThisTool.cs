namespace Holdfast.Cli.Commands;

/// <summary>How this tool was started, for children that are this tool again.</summary>
internal static class ThisTool
{
    /// <summary>By its own executable, or as an assembly by dotnet.</summary>
    public static (string Dotnet, IReadOnlyList<string> Tool) Command()
    {
        var executable = Environment.ProcessPath ?? "dotnet";
        return Path.GetFileNameWithoutExtension(executable) == "dotnet"
            ? (executable, [executable, Path.Combine(AppContext.BaseDirectory, "holdfast.dll")])
            : ("dotnet", [executable]);
    }
}
