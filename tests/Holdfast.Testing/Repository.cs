namespace Holdfast.Testing;

/// <summary>Finds the sources that a test compares with the code.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Where the schemas of Kubernetes and of its extensions lie, if they do: beside the repository.</summary>
    public static string Schemas { get; } = Path.GetFullPath(Path.Combine(Root, "..", "shared", "schemas"));

    public static string Read(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Holdfast.slnx")))
                return folder.FullName;
        }

        throw new InvalidOperationException("Tests run from inside the repository.");
    }
}
