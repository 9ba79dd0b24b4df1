namespace Holdfast.Fuzz;

/// <summary>A parser and its oracle disagree.</summary>
internal sealed class FuzzFailure(string message) : Exception(message)
{
    internal static void Unless(bool holds, string message)
    {
        if (!holds)
            throw new FuzzFailure(message);
    }

    internal static void UnlessEqual<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            throw new FuzzFailure($"{what}: the oracle says {expected}, the parser {actual}");
    }
}
