namespace Holdfast.Bench;

internal static class Repository
{
    /// <summary>The directory of the solution, above the program.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Holdfast.slnx")))
                return directory.FullName;
        }

        throw new BenchException("The bench must run from inside the repository");
    }
}

/// <summary>Something that makes a result impossible or worthless; its message is for the user.</summary>
internal sealed class BenchException(string message) : Exception(message);
