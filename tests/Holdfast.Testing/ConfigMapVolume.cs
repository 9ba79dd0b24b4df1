using System.Diagnostics;
using System.Globalization;

namespace Holdfast.Testing;

/// <summary>
/// A directory that changes as a mounted ConfigMap does (Kubernetes' pkg/volume/util/atomic_writer.go): each version is a directory, `..data` a
/// symbolic link to it that is renamed over, and the files' own names are links through `..data` that never change.
/// </summary>
public sealed class ConfigMapVolume(string directory)
{
    private int _version;

    public void Write(string name, string text)
    {
        var data = Path.Combine(directory, "..data");
        var old = new DirectoryInfo(data).LinkTarget;
        var version = string.Create(CultureInfo.InvariantCulture, $"..2026_11_21_02_00_00.{++_version}");
        Directory.CreateDirectory(Path.Combine(directory, version));
        File.WriteAllText(Path.Combine(directory, version, name), text);
        Directory.CreateSymbolicLink(data + "_tmp", version);
        // The runtime's own move follows links.
        using (var move = Process.Start("mv", ["-T", data + "_tmp", data]))
        {
            move.WaitForExit();
            if (move.ExitCode != 0)
                throw new IOException("mv -T failed");
        }

        if (new FileInfo(Path.Combine(directory, name)).LinkTarget is null)
            File.CreateSymbolicLink(Path.Combine(directory, name), Path.Combine("..data", name));
        if (old is not null)
            Directory.Delete(Path.Combine(directory, old), recursive: true);
    }
}
