namespace Holdfast.Cli.Rehearse;

/// <summary>Files that are not built into the tool.</summary>
internal static class RepositoryFiles
{
    /// <summary>From the current directory upwards, then from where the tool is; null: not there.</summary>
    public static string? Find(string relative)
    {
        foreach (var from in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
        {
            for (var folder = new DirectoryInfo(from); folder is not null; folder = folder.Parent)
            {
                var path = Path.Combine(folder.FullName, relative);
                if (File.Exists(path))
                    return path;
            }
        }

        return null;
    }
}
