using System.Text;

namespace Holdfast.Manifests.Linting.Reading;

/// <summary>
/// Turns the paths of the command line into texts. Folders are searched downwards for <c>.yaml</c>, <c>.yml</c> and <c>.json</c>; hidden folders,
/// <c>node_modules</c> and links to folders are passed over.
/// </summary>
internal sealed class SourceFinder(TextReader input)
{
    /// <summary>How the command line names piped input.</summary>
    public const string Piped = "-";

    /// <summary>Of a folder search; more are told as one problem. Guards against a path such as <c>/</c>.</summary>
    private const int MaxFiles = 50_000;

    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly HashSet<string> _toldTemplates = new(StringComparer.Ordinal);

    public List<FoundSource> Sources { get; } = [];

    public List<ReadProblem> Problems { get; } = [];

    /// <summary>Paths that are not there or cannot be read: faults of the command line, not of a manifest.</summary>
    public List<string> BadPaths { get; } = [];

    public void Add(string path)
    {
        if (path == Piped)
            AddPiped();
        else if (Directory.Exists(path))
            AddFolder(path);
        else if (File.Exists(path))
            AddFile(path, isNamed: true);
        else
            BadPaths.Add($"{path}: there is no such file or folder");
    }

    private void AddPiped()
    {
        if (!_seen.Add(Piped))
            return;
        var text = new StringBuilder();
        var chunk = new char[64 * 1024];
        for (int read; text.Length <= SourceText.MaxBytes && (read = input.Read(chunk)) > 0;)
            text.Append(chunk, 0, read);
        if (text.Length > SourceText.MaxBytes)
            Problems.Add(TooLarge(SourceText.StandardInput));
        else
            Sources.Add(new FoundSource(new SourceText(SourceText.StandardInput, text.ToString(), isFile: false), IsNamed: true));
    }

    private void AddFolder(string path)
    {
        var pending = new Stack<string>([path]);
        while (pending.TryPop(out var folder))
        {
            List<FileSystemInfo> entries;
            try
            {
                entries = [.. new DirectoryInfo(folder).EnumerateFileSystemInfos()];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Problems.Add(new ReadProblem(folder, 0, 0, "the folder cannot be read", IsFault: true));
                continue;
            }

            entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
            foreach (var entry in entries.OfType<FileInfo>().Where(f => IsManifestName(f.Name) && HoldsSomething(f)))
            {
                if (Sources.Count >= MaxFiles)
                {
                    Problems.Add(new ReadProblem(path, 0, 0, FormattableString.Invariant($"more than {MaxFiles} files; the rest is not read"), IsFault: true));
                    return;
                }

                AddFile(Path.Combine(folder, entry.Name), isNamed: false);
            }

            // A stack hands back the last first; the report should follow the alphabet.
            foreach (var inner in entries.OfType<DirectoryInfo>().Where(IsSearched).Reverse())
                pending.Push(Path.Combine(folder, inner.Name));
        }
    }

    private void AddFile(string path, bool isNamed)
    {
        if (!_seen.Add(Path.GetFullPath(path)))
            return;
        var name = path.StartsWith("./", StringComparison.Ordinal) ? path[2..] : path;
        if (Read(path, name) is not { } text)
            return;
        var source = new SourceText(name, text);
        if (source.HasTemplateAction && ChartOf(path) is { } chart)
        {
            if (_toldTemplates.Add(chart))
                Problems.Add(new ReadProblem(Path.Combine(chart, "templates"), 0, 0, $"Helm templates, not manifests: render them first, `helm template {chart} | holdfast lint -`", IsFault: false));
            return;
        }

        Sources.Add(new FoundSource(source, isNamed));
    }

    private string? Read(string path, string name)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            // Read to the cap, not to the length: a pipe has none.
            var chunk = new byte[64 * 1024];
            for (int read; bytes.Length <= SourceText.MaxBytes && (read = stream.Read(chunk)) > 0;)
                bytes.Write(chunk, 0, read);
            if (bytes.Length > SourceText.MaxBytes)
            {
                Problems.Add(TooLarge(name));
                return null;
            }

            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
        catch (DecoderFallbackException)
        {
            Problems.Add(new ReadProblem(name, 0, 0, "the file is not UTF-8 text", IsFault: true));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            Problems.Add(new ReadProblem(name, 0, 0, "the file cannot be read: " + (e is UnauthorizedAccessException ? "no permission" : "the system refused"), IsFault: true));
        }

        return null;
    }

    /// <summary>The chart whose <c>templates</c> folder holds this file.</summary>
    private static string? ChartOf(string path)
    {
        for (var folder = Path.GetDirectoryName(path); !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
        {
            if (Path.GetFileName(folder) != "templates")
                continue;
            var parent = Path.GetDirectoryName(folder) is { Length: > 0 } above ? above : ".";
            if (File.Exists(Path.Combine(parent, "Chart.yaml")))
                return parent;
        }

        return null;
    }

    private static bool IsManifestName(string name) =>
        name.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".yml", StringComparison.OrdinalIgnoreCase)
        || name.EndsWith(".json", StringComparison.OrdinalIgnoreCase);

    /// <summary>Named pipes and devices have no length, and to open a pipe would wait for its writer for ever.</summary>
    private static bool HoldsSomething(FileInfo file)
    {
        try
        {
            // A link that leads nowhere is told when it cannot be read.
            return file.LinkTarget is null ? file.Length > 0 : file.ResolveLinkTarget(returnFinalTarget: true) is not FileInfo { Exists: true, Length: 0 };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    private static bool IsSearched(DirectoryInfo folder) => !folder.Name.StartsWith('.') && folder.Name != "node_modules" && folder.LinkTarget is null;

    private static ReadProblem TooLarge(string name) => new(name, 0, 0, "larger than 32 MiB", IsFault: true);
}

/// <param name="IsNamed">The user named this very file: one without a manifest is worth a word.</param>
internal sealed record FoundSource(SourceText Text, bool IsNamed);
