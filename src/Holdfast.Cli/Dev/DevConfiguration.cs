using System.Globalization;
using Holdfast.Api.Configuration;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Cli.Dev;

/// <summary>
/// The gateway's configuration: the user's or our own, with the replicas as the endpoints of one backend, and with the listener, the admin address and
/// the shutdown of <c>holdfast dev</c>.
/// </summary>
internal sealed class DevConfiguration
{
    private const string DefaultBackend = "app";

    // A cold replica is nothing to spare here; slow start would send clients back to replicas that are rolled next.
    private const string Default = """
        listeners:
          - name: dev
            address: 127.0.0.1:1
        routes:
          - path:
              prefix: /
            backend: app
        backends:
          app:
            endpoints:
              - 127.0.0.1:1
            slowStart: 0s
            drain:
              duration: 5s
        """;

    /// <summary>From the last close of a drain to SIGTERM: what the news may take, on a busy machine too.</summary>
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(2);

    /// <summary>From SIGTERM to SIGKILL.</summary>
    private static readonly TimeSpan AfterTerm = TimeSpan.FromSeconds(4);

    private readonly YamlMappingNode _root;
    private readonly TimeSpan _drain;

    private DevConfiguration(DevOptions options, string text, GatewayConfiguration read)
    {
        var backend = read.Backends.FirstOrDefault(b => b.Name == DefaultBackend) ?? read.Backends.Single();
        (Backend, _drain) = (backend.Name, backend.Drain.Delay + backend.Drain.Duration);
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        _root = (YamlMappingNode)yaml.Documents[0].RootNode;
        Set(_root, "listeners", new YamlSequenceNode(Map(("name", "dev"), ("address", Address(options.Port)))));
        Set(_root, "admin", Map(("address", Address(options.AdminPort))));

        // Whoever quits has seen enough: nothing to wait for, and every connection is closed at once.
        Set(_root, "shutdown", Map(("delay", "0s"), ("duration", "0s")));
    }

    /// <summary>Whose endpoints the replicas are.</summary>
    public string Backend { get; }

    /// <summary>
    /// How a replica ends. Its SIGTERM waits until the gateway has closed its connections at the drain's pace, as the preStop hook of a pod has to; a late
    /// gateway would learn of nothing meanwhile, so there it comes at once.
    /// </summary>
    public EndTimes ReplicaEnds(bool late)
    {
        var preStop = late ? TimeSpan.Zero : _drain + AfterDrain;
        return new EndTimes(preStop, preStop + AfterTerm);
    }

    /// <summary>Of <see cref="DevOptions.ConfigFile"/>, or our own.</summary>
    /// <exception cref="DevConfigurationException">The file has faults.</exception>
    public static DevConfiguration Read(DevOptions options)
    {
        if (options.ConfigFile is not { } file)
        {
            var own = options.Hold is { } hold ? $"{Default}\n    hold: {{protocol: {hold.Protocol}, mode: {hold.Mode}}}" : Default;
            return new DevConfiguration(options, own, Checked(ConfigurationReader.Read(own, "holdfast dev")));
        }

        // The reader bounds what is read, and has its own words for a file that cannot be.
        _ = Checked(ConfigurationReader.ReadFile(file));
        var text = File.ReadAllText(file);
        var configuration = Checked(ConfigurationReader.Read(text, file));
        return configuration.Backends.Count == 1 || configuration.Backends.Any(b => b.Name == DefaultBackend)
            ? new DevConfiguration(options, text, configuration)
            : throw new DevConfigurationException([FormattableString.Invariant(
                $"{file}: backends: there are {configuration.Backends.Count} and none is named '{DefaultBackend}': the replicas become the endpoints of the one so named, or of the only one")]);
    }

    /// <param name="endpoints">At least one.</param>
    public string Text(IReadOnlyList<string> endpoints)
    {
        // A copy, as an alias may have made it the body of another backend too.
        var backends = (YamlMappingNode)_root["backends"];
        var backend = new YamlMappingNode(((YamlMappingNode)backends[Backend]).Where(e => ((YamlScalarNode)e.Key).Value is not ("dns" or "endpoints")));
        backend.Add("endpoints", new YamlSequenceNode(endpoints.Select(e => new YamlScalarNode(e))));
        Set(backends, Backend, backend);
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        text.Write("# Written by holdfast dev, and removed by it.\n");
        new YamlStream(new YamlDocument(_root)).Save(text, assignAnchors: false);
        return text.ToString();
    }

    private static GatewayConfiguration Checked(ConfigurationResult result) =>
        result.Configuration ?? throw new DevConfigurationException([.. result.Faults.Select(f => f.ToString())]);

    private static string Address(int port) => DevGateway.Address(port);

    private static YamlMappingNode Map(params (string Key, string Value)[] entries) =>
        new(entries.Select(e => new KeyValuePair<YamlNode, YamlNode>(new YamlScalarNode(e.Key), new YamlScalarNode(e.Value))));

    private static void Set(YamlMappingNode mapping, string key, YamlNode value) => mapping.Children[new YamlScalarNode(key)] = value;
}

/// <summary>The user's configuration has faults; all of them, each a line.</summary>
internal sealed class DevConfigurationException(IReadOnlyList<string> faults) : Exception(string.Join('\n', faults))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}
