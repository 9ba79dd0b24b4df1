using Holdfast.Api.Configuration;
using Holdfast.Gateway.Telemetry;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Configuration;

/// <summary>
/// Keeps what is in force equal to what the configuration file holds. A content with any fault, or one that cannot be applied, changes nothing:
/// its faults are told once, in the log and in /health, and what was applied last stays.
/// </summary>
internal sealed class LiveConfiguration : IAsyncDisposable
{
    private readonly ConfigurationStatus _status;
    private readonly Func<GatewayConfiguration, ContentIdentity, Task> _apply;
    private readonly ILogger _logger;
    private readonly ConfigurationWatcher? _watcher;

    /// <param name="start">What the gateway was started with.</param>
    /// <param name="apply">
    /// Puts a configuration in force, and says so in the status. Throws <see cref="IOException"/>, having changed nothing, when it cannot.
    /// </param>
    public LiveConfiguration(
        ConfigurationContent start,
        ConfigurationStatus status,
        Func<GatewayConfiguration, ContentIdentity, Task> apply,
        TimeProvider time,
        ILogger logger)
    {
        (_status, _apply, _logger) = (status, apply, logger);
        status.Start(start.Path, start.Identity, time.GetUtcNow());
        if (start.CanChange)
            _watcher = new ConfigurationWatcher(start.Path, start.Identity, JudgeAsync, time, logger);
        else
            ConfigurationLog.NotWatched(logger, start.Path);
    }

    public void Start() => _watcher?.Start();

    /// <summary>Applies what the file holds now, without waiting for it to settle; any thread. Does not wait for it.</summary>
    public void LookNow() => _watcher?.LookNow();

    public ValueTask DisposeAsync() => _watcher?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Never throws: the next content deserves its look.</summary>
    private async Task JudgeAsync(ConfigurationContent content)
    {
        try
        {
            var read = content.Parse();
            if (read.Configuration is { } configuration)
                await _apply(configuration, content.Identity).ConfigureAwait(false);
            else
                Reject(read.Faults);
        }
        catch (IOException e)
        {
            Reject([new ConfigurationFault(content.Path, 0, 0, "", e.Message)]);
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
        catch (Exception e)
        {
            ConfigurationLog.Bug(_logger, e);
            Reject([new ConfigurationFault(content.Path, 0, 0, "", "the gateway failed to apply it")]);
        }
    }

    private void Reject(IReadOnlyList<ConfigurationFault> faults)
    {
        ConfigurationLog.Rejected(_logger, faults.Count, UtcTime.Text(_status.Report.AppliedAt));
        foreach (var fault in faults)
            ConfigurationLog.Fault(_logger, fault.ToString());
        _status.Reject(faults);
    }
}
