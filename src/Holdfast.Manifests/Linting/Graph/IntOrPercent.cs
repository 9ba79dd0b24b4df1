using System.Globalization;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>Kubernetes' <c>IntOrString</c> where it means a number of pods: <c>1</c> or <c>25%</c>.</summary>
internal static class IntOrPercent
{
    /// <summary>Pods of <paramref name="total"/>; null when it is neither form, or negative.</summary>
    /// <param name="roundUp">As each field documents it for itself.</param>
    public static int? Of(Node? value, int total, bool roundUp)
    {
        if (value?.AsText is not { } text)
            return null;
        if (!text.EndsWith('%'))
            return value.AsInteger is >= 0 and var count ? count : null;
        if (!int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent))
            return null;
        var exact = (long)total * percent;
        return (int)Math.Min(int.MaxValue, roundUp ? (exact + 99) / 100 : exact / 100);
    }
}
