using Holdfast.Gateway.Auth;
using Holdfast.Relay.Handshakes;

namespace Holdfast.Gateway.Handshakes;

/// <summary>A question to an auth service on behalf of one handshake. The loop reads the answer once it was resumed; the question may outlive the handshake.</summary>
internal sealed class PendingAuth
{
    private readonly TaskCompletionSource _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile AuthAnswer? _answer;

    /// <summary>Null: none yet.</summary>
    public AuthAnswer? Answer => _answer;

    /// <summary>Asks away from the loop. The gate's place is given back when the question has ended.</summary>
    public static PendingAuth Begin(AuthGate gate, AuthQuestion question, HandshakeTicket ticket, Action<HandshakeTicket> resume)
    {
        var pending = new PendingAuth();
        _ = Task.Run(() => pending.AskAsync(gate, question, ticket, resume));
        return pending;
    }

    /// <summary>Nobody waits for the answer any more; any thread.</summary>
    public void Abandon() => _abandoned.TrySetResult();

    private async Task AskAsync(AuthGate gate, AuthQuestion question, HandshakeTicket ticket, Action<HandshakeTicket> resume)
    {
        using var cancel = new CancellationTokenSource();
        var answer = new AuthAnswer(AuthVerdict.Failed);
        try
        {
            var asked = gate.AskAsync(question, cancel.Token);
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
            gate.Exit();
            _answer = answer;
            resume(ticket);
        }
    }
}
