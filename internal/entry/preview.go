package entry

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// condition is one way in which a tester's request is known: a header that has exactly a value, or that matches.
type condition struct {
	header string
	term   term
}

// term is what a header must look like.
type term struct {
	how   string
	value string
}

// How a header is compared.
const (
	exactly   = "exact"
	asPrefix  = "prefix"
	asRegex   = "regex"
	atAll     = ""
	cookieKey = "cookie"
)

// hostKey stands for the hostname that was asked for, which is no header of its own in a match.
const hostKey = ":authority"

// conditions of the preview; any of them is enough. The hostname of an HTTPRoute's preview has a route of its own.
func (s Spec) conditions() []condition {
	p := s.Entry.Preview
	if p == nil {
		return nil
	}
	var all []condition
	if p.Hostname != "" && s.Entry.VirtualService != nil {
		all = append(all, condition{header: hostKey, term: term{asRegex, hostPattern(p.Hostname)}})
	}
	if p.Header != nil {
		all = append(all, condition{header: p.Header.Name, term: term{exactly, p.Header.Value}})
	}
	if p.Cookie != nil {
		all = append(all, condition{header: cookieKey, term: term{asRegex, cookiePattern(*p.Cookie)}})
	}
	return all
}

// hostPattern lets clients name the port.
func hostPattern(hostname string) string { return regexp.QuoteMeta(hostname) + `(:[0-9]+)?` }

// cookiePattern matches a whole Cookie header that holds the cookie, wherever it stands among others.
func cookiePattern(c v1alpha1.NameValue) string {
	return `^(.*?;)?\s*(` + regexp.QuoteMeta(c.Name+"="+c.Value) + `)(;.*)?$`
}

// both joins what a rule wants of a header with what the preview wants of it: a router takes one term for each header.
func both(is, want term) (term, bool, error) {
	switch {
	case is.how == atAll || is == want:
		return want, true, nil
	case want.how == exactly:
		ok, err := is.takes(want.value)
		return want, ok, err
	case is.how == exactly:
		ok, err := want.takes(is.value)
		return is, ok, err
	}
	return term{}, false, fmt.Errorf("it matches a pattern of the same header already (%s), and two patterns cannot be joined", is.value)
}

func (t term) takes(value string) (bool, error) {
	switch t.how {
	case exactly:
		return t.value == value, nil
	case asPrefix:
		return strings.HasPrefix(value, t.value), nil
	case atAll:
		return true, nil
	}
	return fullMatch(t.value, value)
}

// fullMatch compares as Envoy does: the pattern must match the whole value.
func fullMatch(pattern, value string) (bool, error) {
	compiled, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return false, fmt.Errorf("its pattern of the same header cannot be read: %w", err)
	}
	return compiled.MatchString(value), nil
}

// narrow joins each match with each condition.
func narrow(d dialect, matches []any, all []condition) ([]any, error) {
	if len(matches) == 0 {
		matches = d.everything()
	}
	var narrowed []any
	for _, item := range matches {
		match, _ := item.(object)
		for _, c := range all {
			joined, possible, err := d.and(clone(match), c)
			if err != nil {
				return nil, err
			}
			if possible {
				narrowed = append(narrowed, joined)
			}
		}
	}
	return narrowed, nil
}
