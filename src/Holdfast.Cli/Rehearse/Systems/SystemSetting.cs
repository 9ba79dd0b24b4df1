using Holdfast.Api.Configuration;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>What a system is started with.</summary>
/// <param name="Protocol">That its clients speak.</param>
/// <param name="Mode">Which upstream comes first.</param>
/// <param name="Hold">False: the gateway is to hold nothing.</param>
/// <param name="Drain">Over which an endpoint's connections are moved.</param>
/// <param name="Connections">That will come.</param>
/// <param name="Folder">Its own, for files of a run.</param>
/// <param name="FindTool">A program of the machine, or null.</param>
/// <param name="Time">The clock.</param>
/// <param name="Random">For ports and back-offs.</param>
internal sealed record SystemSetting(
    RehearseProtocol Protocol, HoldMode Mode, bool Hold, TimeSpan Drain, int Connections, string Folder,
    Func<string, string?> FindTool, TimeProvider Time, Random Random)
{
    /// <summary>Whose endpoints the replicas are.</summary>
    public const string Backend = "app";
}
