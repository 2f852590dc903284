package view

import (
	"regexp"
	"strconv"
	"strings"
)

var fullHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

var inlineHash = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Short shortens a full commit hash, names the hash of inline objects for what it is, and leaves any other revision as it
// is.
func Short(revision string) string {
	if inlineHash.MatchString(revision) {
		return "inline " + revision[len("sha256:"):][:7]
	}
	if fullHash.MatchString(revision) {
		return revision[:7]
	}
	return revision
}

// ShortImage leaves the registry and most of a digest out.
func ShortImage(image string) string {
	image = image[strings.LastIndex(image, "/")+1:]
	name, digest, found := strings.Cut(image, "@sha256:")
	if !found {
		return image
	}
	if strings.Contains(name, ":") {
		return name
	}
	return name + "@" + digest[:min(7, len(digest))]
}

func shortImages(images []string, wide bool) string {
	if wide {
		return strings.Join(images, ",")
	}
	if len(images) == 0 {
		return ""
	}
	out := ShortImage(images[0])
	if more := len(images) - 1; more > 0 {
		out += " +" + strconv.Itoa(more)
	}
	return out
}

// revisionOf says which version a release is, in the words that people know it by.
func revisionOf(r Release) string {
	out := Short(r.Revision)
	if c := Short(r.Commit); c != "" && c != out {
		if out != "" {
			out += " @ "
		}
		out += c
	}
	if r.Of != "" {
		return "rollback to " + r.Of
	}
	if n := len(r.Images); n > 0 {
		out += " with " + strconv.Itoa(n) + " image" + plural(n)
	}
	return strings.TrimSpace(out)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
