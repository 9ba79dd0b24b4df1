using Holdfast.Wire.Dns;

namespace Holdfast.Gateway.Discovery;

/// <summary>Which full names a name may mean, in the order of asking (resolv.conf(5), as glibc's res_search does it). Pure.</summary>
internal static class SearchList
{
    /// <param name="found">See <see cref="INameResolver.LookUpAsync"/>: the last one to ask, if it is among them.</param>
    public static IReadOnlyList<SearchedName> Of(string name, ResolvConf conf, string? found)
    {
        var names = new List<SearchedName>();
        var asGiven = name.TrimEnd('.');
        var isAbsolute = name.EndsWith('.');
        var isFirst = isAbsolute || asGiven.Count(static c => c == '.') >= conf.Ndots;
        if (isFirst)
            Add(asGiven, isSearched: false);
        if (!isAbsolute)
        {
            foreach (var domain in conf.Search)
                Add(domain.Length == 0 ? asGiven : asGiven + "." + domain, isSearched: domain.Length > 0);
            Add(asGiven, isSearched: false);
        }

        var last = found is null ? -1 : names.FindIndex(n => n.Name.ToString() == found);
        return last < 0 ? names : names[..(last + 1)];

        void Add(string text, bool isSearched)
        {
            // What is too long with a domain behind it is no name: that domain is passed over.
            if (DnsName.TryParse(text, out var full) && !names.Exists(n => n.Name.ToString() == full.ToString()))
                names.Add(new SearchedName(full, isSearched));
        }
    }
}

/// <param name="IsSearched">With a search domain behind it; false: as it was given.</param>
internal readonly record struct SearchedName(DnsName Name, bool IsSearched);
