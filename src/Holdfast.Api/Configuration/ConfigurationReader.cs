using System.Text;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Api.Validation;
using Holdfast.Api.Yaml;

namespace Holdfast.Api.Configuration;

/// <summary>Reads a gateway configuration from YAML and validates it. Pure but for <see cref="ReadFile"/>; thread-safe.</summary>
public static class ConfigurationReader
{
    /// <summary>The largest file that is read, in bytes: 1 MiB, Kubernetes' limit for a ConfigMap.</summary>
    public const int MaxFileBytes = YamlComposer.MaxCharacters;

    /// <summary>Reads a text. Never throws for what the text holds: every fault is in the result, all at once, with its place.</summary>
    /// <param name="text">YAML, one document.</param>
    /// <param name="file">How faults name it.</param>
    public static ConfigurationResult Read(string text, string file)
    {
        var faults = new FaultCollector(file);
        var configuration = Read(text, faults);
        return new ConfigurationResult { Configuration = faults.Count == 0 ? configuration : null, Faults = faults.ToList() };
    }

    /// <summary>Reads the bytes of a file: UTF-8 text, at most <see cref="MaxFileBytes"/>. Never throws for what they hold.</summary>
    /// <param name="file">How faults name it.</param>
    public static ConfigurationResult Read(ReadOnlySpan<byte> bytes, string file)
    {
        if (bytes.Length > MaxFileBytes)
            return Unreadable(file, "the file is larger than 1 MiB");
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Unreadable(file, "the file is not UTF-8 text");
        }

        return Read(text, file);
    }

    /// <summary>Reads a file of UTF-8 text. A file that is missing, unreadable or too large gives one fault without a line.</summary>
    public static ConfigurationResult ReadFile(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            var chunk = new byte[16 * 1024];
            // Read to the cap, not to the length: a pipe has none.
            for (int read; bytes.Length <= MaxFileBytes && (read = stream.Read(chunk)) > 0;)
                bytes.Write(chunk, 0, read);
            return Read(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Unreadable(path, "there is no such file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // Not the exception's own text: an executable may run with the framework's messages left out.
            var reason = Directory.Exists(path) ? "it is a directory" : e is UnauthorizedAccessException ? "no permission" : "the system refused";
            return Unreadable(path, "the file cannot be read: " + reason);
        }
    }

    /// <summary>What reading gives when there are no bytes to read: one fault without a line.</summary>
    public static ConfigurationResult Unreadable(string file, string reason) => new() { Faults = [new ConfigurationFault(file, 0, 0, "", reason)] };

    internal static GatewayConfiguration? Read(string text, FaultCollector faults)
    {
        var (root, fault) = YamlComposer.Compose(text);
        if (fault is not null)
            faults.Add(new YamlNode(YamlKind.Scalar, fault.Line, fault.Column), "", fault.Message);
        else if (root is null)
            faults.Add(null, "", "the file is empty; it needs at least listeners, for example `listeners: [{name: web, address: 0.0.0.0:8080}]`");
        if (root is null)
            return null;

        var configuration = GatewayReader.Read(faults, root);
        if (configuration is not null)
            ConfigurationValidator.Validate(configuration, faults);
        return configuration;
    }
}
