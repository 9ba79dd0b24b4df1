using Holdfast.Gateway.Auth;
using Holdfast.Relay.Handshakes;

namespace Holdfast.Gateway.Handshakes;

/// <summary>A question to an auth service on behalf of one handshake. The loop reads the answer once it was resumed; the question may outlive the handshake.</summary>
internal sealed class PendingAuth
{
    private readonly TaskCompletionSource _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile AuthAnswer? _answer;

    private PendingAuth(AuthGate gate) => Gate = gate;

    /// <summary>Who is asked.</summary>
    public AuthGate Gate { get; }

    /// <summary>Null: none yet.</summary>
    public AuthAnswer? Answer => _answer;

    /// <summary>Asks away from the loop. The gate's place is given back when the question has ended.</summary>
    public static PendingAuth Begin(AuthGate gate, AuthQuestion question, HandshakeTicket ticket, Action<HandshakeTicket> resume)
    {
        var pending = new PendingAuth(gate);
        _ = Task.Run(() => pending.AskAsync(question, ticket, resume));
        return pending;
    }

    /// <summary>Nobody waits for the answer any more; any thread.</summary>
    public void Abandon() => _abandoned.TrySetResult();

    private async Task AskAsync(AuthQuestion question, HandshakeTicket ticket, Action<HandshakeTicket> resume)
    {
        using var cancel = new CancellationTokenSource();
        var answer = new AuthAnswer(AuthVerdict.Failed);
        try
        {
            var asked = Gate.AskAsync(question, cancel.Token);
            if (await Task.WhenAny(asked, _abandoned.Task).ConfigureAwait(false) != asked)
                await cancel.CancelAsync().ConfigureAwait(false);
            answer = await asked.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Nobody waits.
        }
        finally
        {
            Gate.Exit();
            _answer = answer;
            resume(ticket);
        }
    }
}
