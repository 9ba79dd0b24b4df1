namespace Holdfast.Cli.Rehearse;

/// <summary>A system cannot be rehearsed, or not to the end; the message is for the user.</summary>
internal sealed class RehearseException(string message) : Exception(message);
