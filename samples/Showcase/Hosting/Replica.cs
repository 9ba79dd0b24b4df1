using System.Net;

namespace Showcase.Hosting;

/// <summary>Which replica this process is, as people shall see it.</summary>
internal sealed record Replica(string Name, long StartedAt)
{
    private const int MaxNameLength = 64;

    /// <summary><c>HOLDFAST_REPLICA</c>, else <c>POD_NAME</c>, else host:port.</summary>
    public static Replica FromEnvironment(Func<string, string?> variable, IPEndPoint listen, TimeProvider time)
    {
        string?[] candidates = [variable("HOLDFAST_REPLICA"), variable("POD_NAME")];
        var name = candidates.FirstOrDefault(c => !string.IsNullOrWhiteSpace(c))?.Trim() ?? listen.ToString();
        return new Replica(name.Length > MaxNameLength ? name[..MaxNameLength] : name, time.GetTimestamp());
    }
}
