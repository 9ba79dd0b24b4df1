namespace Holdfast.Manifests.Linting.Graph;

/// <summary>
/// Finds objects by what refers to them. The same name may be there several times, when a folder holds several environments; the one whose file
/// is nearest to the referring object's is meant.
/// </summary>
internal sealed class ObjectIndex
{
    private readonly Dictionary<string, List<KubernetesObject>> _byKind = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Kind, string Namespace, string Name), List<KubernetesObject>> _byName = [];

    public ObjectIndex(IEnumerable<KubernetesObject> objects)
    {
        foreach (var item in objects)
        {
            Append(_byKind, item.Kind, item);
            Append(_byName, (item.Kind, item.Namespace, item.Name), item);
        }
    }

    public IReadOnlyList<KubernetesObject> OfKind(string kind) => _byKind.GetValueOrDefault(kind) ?? [];

    /// <summary>Of one API group, for the kinds that several use (Gateway, Service).</summary>
    public IEnumerable<KubernetesObject> OfKind(string kind, string group) => OfKind(kind).Where(o => o.Group == group);

    /// <param name="ns">Empty for what has no namespace.</param>
    /// <param name="near">What refers to it.</param>
    public KubernetesObject? Find(string kind, string ns, string name, KubernetesObject near) =>
        _byName.TryGetValue((kind, ns, name), out var found) ? Nearest(found, near) : null;

    /// <summary>Of objects with the same name, those nearest; each name once. Order is kept.</summary>
    public static IEnumerable<T> NearestOfEach<T>(IReadOnlyList<T> items, Func<T, KubernetesObject> objectOf, KubernetesObject near)
    {
        if (items.Count < 2)
            return items;
        return items.GroupBy(i => (objectOf(i).Kind, objectOf(i).Namespace, objectOf(i).Name))
            .Select(g => g.MaxBy(i => Nearness(objectOf(i), near))!);
    }

    private static KubernetesObject Nearest(List<KubernetesObject> items, KubernetesObject near) =>
        items.Count == 1 ? items[0] : items.MaxBy(o => Nearness(o, near))!;

    /// <summary>How many folders two files share.</summary>
    private static int Nearness(KubernetesObject a, KubernetesObject b)
    {
        if (ReferenceEquals(a.Source, b.Source))
            return int.MaxValue;
        var shared = a.Source.Folder.AsSpan().CommonPrefixLength(b.Source.Folder);
        return a.Source.Folder.AsSpan(0, shared).Count('/');
    }

    private static void Append<TKey, T>(Dictionary<TKey, List<T>> lists, TKey key, T item)
        where TKey : notnull
    {
        if (!lists.TryGetValue(key, out var list))
            lists.Add(key, list = []);
        list.Add(item);
    }
}
