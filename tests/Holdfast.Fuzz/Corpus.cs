using System.Security.Cryptography;

namespace Holdfast.Fuzz;

/// <summary>The inputs kept under tests/corpus, one folder per target, one file per input.</summary>
internal static class Corpus
{
    /// <summary>The folder of a target, found by walking up from the program to the solution.</summary>
    public static string FolderOf(string target)
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Holdfast.slnx")))
                return Path.Combine(folder.FullName, "tests", "corpus", target);
        }

        throw new DirectoryNotFoundException("Not run from within the repository: Holdfast.slnx is in no folder above the program.");
    }

    /// <summary>All inputs of a target, in the order of their names.</summary>
    public static IReadOnlyList<byte[]> Load(string target)
    {
        string folder = FolderOf(target);
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)] : [];
    }

    /// <summary>Keeps an input that failed, and returns its path.</summary>
    public static string SaveCrasher(string target, byte[] input)
    {
        string folder = FolderOf(target);
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "crash-" + Convert.ToHexStringLower(SHA256.HashData(input))[..16]);
        File.WriteAllBytes(path, input);
        return path;
    }
}
