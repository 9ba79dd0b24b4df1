using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Testing.Manifests;

/// <summary>One Kubernetes object as a file or a page has it.</summary>
public sealed class Manifest
{
    private readonly int _lineOffset;

    private Manifest(string file, int lineOffset, YamlMappingNode root) => (File, _lineOffset, Root) = (file, lineOffset, root);

    public string File { get; }

    public YamlMappingNode Root { get; }

    public string ApiVersion => Text("apiVersion");

    public string Kind => Text("kind");

    /// <summary>Empty: it has none.</summary>
    public string Name => Text("metadata", "name");

    public override string ToString() => $"{File}: {Kind} {Name}";

    /// <summary>Reads every document of a YAML stream; empty ones are left out. What is no YAML, or no mapping, is a fault.</summary>
    /// <param name="file">How faults name it.</param>
    /// <param name="lineOffset">Lines that stand before the text in its file.</param>
    public static IReadOnlyList<Manifest> Read(string text, string file, ICollection<SchemaFault> faults, int lineOffset = 0)
    {
        var manifests = new List<Manifest>();
        var stream = new YamlStream();
        try
        {
            // Also refuses a key that stands twice.
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            faults.Add(new SchemaFault(file, (int)e.Start.Line + lineOffset, (int)e.Start.Column, "", "not valid YAML: " + e.Message));
            return manifests;
        }

        foreach (var root in stream.Documents.Select(d => d.RootNode))
        {
            if (root is YamlMappingNode mapping)
                manifests.Add(new Manifest(file, lineOffset, mapping));
            else if (root is not YamlScalarNode scalar || YamlValue.TypeOf(scalar) != YamlType.Null)
                faults.Add(new SchemaFault(file, (int)root.Start.Line + lineOffset, (int)root.Start.Column, "", "not an object but " + YamlValue.Describe(root)));
        }

        return manifests;
    }

    /// <summary>The objects of a file of the repository. Throws when they cannot be read.</summary>
    public static IReadOnlyList<Manifest> OfRepository(string path)
    {
        var faults = new List<SchemaFault>();
        var manifests = Read(Repository.Read(path), path, faults);
        return faults.Count == 0 ? manifests : throw new InvalidDataException(faults[0].ToString());
    }

    /// <summary>The node at a path of keys and of positions in lists, or null.</summary>
    public YamlNode? Find(params object[] path) => Root.Find(path);

    /// <summary>The scalar's text at a path; empty: there is none.</summary>
    public string Text(params object[] path) => Root.Text(path);

    internal SchemaFault Fault(YamlNode at, string path, string message) =>
        new(File, (int)at.Start.Line + _lineOffset, (int)at.Start.Column, path, message);
}
