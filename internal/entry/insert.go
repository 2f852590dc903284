package entry

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func removeInserted(s Spec, route *unstructured.Unstructured) {
	field, spec := s.dialect().lists()[0], child(route.Object, "spec")
	all := items(spec, field)
	skip := insertedIn(s, field, all)
	var kept []any
	for i, item := range all {
		if !skip[i] {
			kept = append(kept, item)
		}
	}
	if len(kept) < len(all) {
		spec[field] = kept
	}
}

// insert adds the epoch marker and the preview to an adopted route that has none of them.
func insert(s Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) error {
	d, spec := s.dialect(), child(route.Object, "spec")
	field := d.lists()[0]
	team := items(spec, field)
	if len(team) == 0 {
		return nil
	}
	copies, err := previewCopies(s, team, intent)
	if err != nil {
		return err
	}
	all := append([]any{d.marker(s, intent.Epoch)}, d.arrange(team, copies)...)
	if err := d.fits(s, all); err != nil {
		return err
	}
	spec[field] = all
	return nil
}

// previews tells whether testers are kept apart from users at all.
func previews(s Spec, intent v1alpha1.RouteIntent) bool {
	p := s.Entry.Preview
	return len(s.conditions()) > 0 && (intent.Preview != "" || p.BetweenReleases == v1alpha1.BetweenNone)
}

// previewCopies returns, by the index of the rule, a copy of every rule of ours that only testers match and that
// points at the preview. A rule that is not ours is copied too where its requests would otherwise go to such a copy.
func previewCopies(s Spec, team []any, intent v1alpha1.RouteIntent) (map[int]any, error) {
	if !previews(s, intent) {
		return nil, nil
	}
	ours := oursAmong(s, team)
	copies := map[int]any{}
	for i, item := range team {
		body, _ := item.(object)
		r := readRule(s, s.dialect().lists()[0], body)
		if len(r.ours) == 0 && !s.dialect().outranked(body, ours) {
			continue
		}
		made, err := previewCopy(s, r, fmt.Sprintf("%s-%d", previewName, i+1), intent.Preview)
		if err != nil {
			return nil, err
		}
		if made != nil {
			copies[i] = made
		}
	}
	return copies, nil
}

func oursAmong(s Spec, team []any) []object {
	var ours []object
	for _, item := range team {
		body, _ := item.(object)
		if r := readRule(s, "", body); len(r.ours) > 0 {
			ours = append(ours, body)
		}
	}
	return ours
}

// previewCopy returns nil where no tester's request can match the rule.
func previewCopy(s Spec, r rule, name, slot string) (object, error) {
	d := s.dialect()
	matches, err := narrow(d, items(r.body, d.matchList()), s.conditions())
	switch {
	case err != nil && slot != "":
		return nil, refuse(v1alpha1.ReasonEntryInvalid,
			"%s: rule %q cannot be previewed: %v; take that match out of the rule (Lockstep makes the testers' rules), or choose another header, cookie or hostname in entry %s",
			s.where(), named(r.body), err, s.Entry.Name)
	case err != nil || len(matches) == 0:
		// Nothing is previewed: a rule that cannot be closed to testers must not stand in the way of going back.
		return nil, nil
	case slot == "" && len(r.ours) > 0:
		return d.nowhere(name, matches), nil
	}
	out := clone(r.body)
	out["name"] = name
	out[d.matchList()] = matches
	move(s, readRule(s, r.list, out), slot)
	return out, nil
}
