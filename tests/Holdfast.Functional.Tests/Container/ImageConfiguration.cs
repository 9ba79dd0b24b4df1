using System.Text.Json.Nodes;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Container;

/// <summary>What an image says about how it is run.</summary>
internal sealed record ImageConfiguration(string User, string WorkingDirectory, string Entrypoint, string Ports, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>
    /// What aspnet:10.0-noble-chiseled says, and what the runtime-deps image below it does (github.com/dotnet/dotnet-docker, src/*/10.0/noble-chiseled).
    /// </summary>
    public static ImageConfiguration OfBase { get; } = new("1654", "", "/usr/bin/dotnet", "", new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ["APP_UID"] = "1654",
        ["ASPNETCORE_HTTP_PORTS"] = "8080",
        ["DOTNET_RUNNING_IN_CONTAINER"] = "true",
        ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "true",
    });

    /// <summary>Of a Containerfile's last stage, on top of the base's.</summary>
    public static ImageConfiguration Read(Containerfile file)
    {
        var variables = new Dictionary<string, string>(OfBase.Environment, StringComparer.Ordinal);
        foreach (var variable in file.Final.Where(i => i.Keyword == "ENV").SelectMany(i => i.Words).Select(w => w.Split('=', 2)))
            variables[variable[0]] = variable[1];
        return new ImageConfiguration(
            Only("USER").Arguments,
            Only("WORKDIR").Arguments,
            string.Join(' ', Only("ENTRYPOINT").Exec()),
            string.Join(' ', Only("EXPOSE").Words.Select(p => p + "/tcp")),
            variables);

        ContainerInstruction Only(string keyword) => file.Final.Single(i => i.Keyword == keyword);
    }

    /// <summary>Of an image's configuration blob.</summary>
    public static ImageConfiguration Read(JsonNode blob)
    {
        var config = blob["config"]!;
        return new ImageConfiguration(
            (string)config[nameof(User)]!,
            (string)config["WorkingDir"]!,
            string.Join(' ', config[nameof(Entrypoint)]!.AsArray().Concat((config["Cmd"] as JsonArray) ?? []).Select(a => (string)a!)),
            string.Join(' ', config["ExposedPorts"]!.AsObject().Select(p => p.Key)),
            config["Env"]!.AsArray().Select(v => ((string)v!).Split('=', 2)).ToDictionary(v => v[0], v => v[1], StringComparer.Ordinal));
    }
}
