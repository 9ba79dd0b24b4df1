namespace Holdfast.Gateway.Configuration;

/// <summary>
/// Tells that something happened in a file's directory: in the directory, because the file itself may be replaced, and so may the symbolic link
/// that leads to it (a ConfigMap's <c>..data</c>). It may miss changes, on file systems that tell of none: somebody has to look from time to time.
/// </summary>
internal sealed class ChangeNotices(string path, Action onChange) : IDisposable
{
    private FileSystemWatcher? _watcher;

    /// <summary>Starts, or starts anew: a directory that was replaced tells nothing any more. False: there are no notices to be had.</summary>
    public bool Start()
    {
        Dispose();
        try
        {
            _watcher = new FileSystemWatcher(Path.GetDirectoryName(path)!)
            {
                NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Attributes,
            };
            _watcher.Changed += OnEvent;
            _watcher.Created += OnEvent;
            _watcher.Deleted += OnEvent;
            _watcher.Renamed += OnEvent;
            _watcher.Error += (_, _) => onChange();
            _watcher.EnableRaisingEvents = true;
            return true;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            // No such directory, or no inotify instance left for this user.
            Dispose();
            return false;
        }
    }

    public void Dispose()
    {
        _watcher?.Dispose();
        _watcher = null;
    }

    private void OnEvent(object sender, FileSystemEventArgs e) => onChange();
}
