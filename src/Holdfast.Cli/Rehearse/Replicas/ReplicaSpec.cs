using System.Globalization;
using Holdfast.Cli.Commands;
using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>The command of one replica of the application for a protocol.</summary>
internal static class ReplicaSpec
{
    private const string GraphqlServer = "samples/node/rehearse/graphql-server.js";

    /// <param name="protocol">That it speaks.</param>
    /// <param name="journals">The folder of its journal.</param>
    /// <param name="tool">This tool's own command.</param>
    /// <param name="findTool">A program of the machine, or null.</param>
    /// <param name="temporary">Removed should this process die without stopping the replicas; null: nothing is.</param>
    /// <exception cref="RehearseException">Something that it needs is not installed.</exception>
    public static Func<string, int, ChildSpec> For(
        RehearseProtocol protocol, string journals, IReadOnlyList<string> tool, Func<string, string?> findTool, string? temporary)
    {
        if (protocol != RehearseProtocol.GraphqlTransportWs)
            return (name, port) => Ours(protocol, journals, tool, name, port) with { RemoveWhenOrphaned = temporary };
        if (findTool("node") is not { } node)
            throw new RehearseException("node is not installed (Debian package nodejs), and the graphql-transport-ws application needs it");
        var script = RepositoryFiles.Find(GraphqlServer)
            ?? throw new RehearseException($"{GraphqlServer} was found neither from here nor from where the tool is: start it in the repository");
        var modules = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(script)!, "..", "node_modules", "graphql-ws"));
        if (!Directory.Exists(modules))
            throw new RehearseException($"the npm package graphql-ws is not installed: (cd {Path.GetFullPath(Path.Combine(modules, "..", ".."))} && npm ci)");
        return (name, port) => new ChildSpec(node, [script], new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PORT"] = port.ToString(CultureInfo.InvariantCulture),
            ["HOLDFAST_REPLICA"] = name,
            ["HOLDFAST_JOURNALS"] = journals,
            ["NODE_ENV"] = "production",
        }, temporary);
    }

    private static ChildSpec Ours(RehearseProtocol protocol, string journals, IReadOnlyList<string> tool, string name, int port) => new(
        tool[0],
        [
            .. tool.Skip(1), RehearseReplicaCommand.Name, "--protocol", protocol.NameOf(), "--journal", journals, "--name", name,
            "--port", port.ToString(CultureInfo.InvariantCulture),
        ],
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["TMPDIR"] = Path.GetDirectoryName(journals)!,

            // A quick start counts here; the gateway is left as users run it.
            ["DOTNET_TieredCompilation"] = "1",
            ["DOTNET_TieredPGO"] = "0",
        });
}
