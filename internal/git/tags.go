package git

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Tag is a tag that matches a pattern.
type Tag struct {
	// Name of the tag, and the Commit that it points at.
	Name, Commit string
	// Slot is what the pattern's group "slot" matched; empty where it has none.
	Slot string
}

// NewestTag returns the tag of the highest semantic version among those that match the pattern as a whole; the zero Tag
// where none does. The version is the pattern's group "version", or else the whole tag; of equal ones the later name counts.
// Tags that hold no version do not count.
func NewestTag(ctx context.Context, remote Remote, pattern string) (Tag, error) {
	whole, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return Tag{}, fmt.Errorf("the pattern of tags: %w", err)
	}
	from, err := open(remote, Limits{}.withDefaults())
	if err != nil {
		return Tag{}, err
	}
	defer from.close()
	known, err := from.refs(ctx)
	if err != nil {
		return Tag{}, err
	}
	return known.newest(whole), nil
}

func (r refs) newest(pattern *regexp.Regexp) Tag {
	var (
		found   Tag
		highest *semver.Version
	)
	for name, at := range r {
		short, is := strings.CutPrefix(name, tags)
		match := pattern.FindStringSubmatch(short)
		if !is || match == nil {
			continue
		}
		version, err := semver.NewVersion(group(pattern, match, "version", short))
		if err != nil {
			continue
		}
		if c := compare(version, highest); c > 0 || c == 0 && short > found.Name {
			found, highest = Tag{Name: short, Commit: at.commit.String(), Slot: group(pattern, match, "slot", "")}, version
		}
	}
	return found
}

func compare(a, b *semver.Version) int {
	if b == nil {
		return 1
	}
	return a.Compare(b)
}

func group(pattern *regexp.Regexp, match []string, name, otherwise string) string {
	if i := pattern.SubexpIndex(name); i > 0 {
		return match[i]
	}
	return otherwise
}
