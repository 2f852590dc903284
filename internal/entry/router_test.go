package entry_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type object = map[string]any

// request is one that a router sees.
type request struct {
	path    string
	method  string
	query   string
	headers map[string]string
}

// pick is the rule that a router as the two specifications describe it sends the request to, or nil.
func pick(route *unstructured.Unstructured, r request) object {
	if route.GetKind() == "VirtualService" {
		return pickFirst(route, r)
	}
	return pickMostSpecific(route, r)
}

func pickFirst(route *unstructured.Unstructured, r request) object {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
	for _, item := range rules {
		rule := item.(object)
		matches, _ := rule["match"].([]any)
		if len(matches) == 0 || slices.ContainsFunc(matches, func(m any) bool { return istioMatches(m.(object), r) }) {
			return rule
		}
	}
	return nil
}

func istioMatches(match object, r request) bool {
	if uri, ok := match["uri"].(object); ok && !istioString(uri, r.path) {
		return false
	}
	if method, ok := match["method"].(object); ok && !istioString(method, r.method) {
		return false
	}
	headers, _ := match["headers"].(object)
	for name, want := range headers {
		value, sent := r.headers[strings.ToLower(name)]
		if !sent || !istioString(want.(object), value) {
			return false
		}
	}
	return true
}

func istioString(want object, value string) bool {
	if exact, ok := want["exact"].(string); ok {
		return value == exact
	}
	if prefix, ok := want["prefix"].(string); ok {
		return strings.HasPrefix(value, prefix)
	}
	return regexp.MustCompile(`^(?:` + want["regex"].(string) + `)$`).MatchString(value)
}

// candidate is a match that fits, with what the Gateway API ranks it by.
type candidate struct {
	rule object
	rank []int
}

func pickMostSpecific(route *unstructured.Unstructured, r request) object {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	var all []candidate
	for _, item := range rules {
		rule := item.(object)
		matches, _ := rule["matches"].([]any)
		if len(matches) == 0 {
			matches = []any{object{}}
		}
		for _, m := range matches {
			if rank, ok := gatewayMatches(m.(object), r); ok {
				all = append(all, candidate{rule, rank})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return slices.Compare(b.rank, a.rank) })
	return all[0].rule
}

func gatewayMatches(match object, r request) ([]int, bool) {
	path, _ := match["path"].(object)
	exact, length, ok := gatewayPath(path, r.path)
	if !ok {
		return nil, false
	}
	method, _ := match["method"].(string)
	if method != "" && method != r.method {
		return nil, false
	}
	headers, _ := match["headers"].([]any)
	for _, item := range headers {
		h := item.(object)
		value, sent := r.headers[strings.ToLower(h["name"].(string))]
		how := "exact"
		if h["type"] == "RegularExpression" {
			how = "regex"
		}
		if !sent || !istioString(object{how: h["value"]}, value) {
			return nil, false
		}
	}
	params, _ := match["queryParams"].([]any)
	for _, item := range params {
		p := item.(object)
		if p["name"].(string)+"="+p["value"].(string) != r.query {
			return nil, false
		}
	}
	return []int{exact, length, min(1, len(method)), len(headers), len(params)}, true
}

func gatewayPath(path object, asked string) (exact, length int, ok bool) {
	value := "/"
	if path != nil {
		value = path["value"].(string)
		if path["type"] == "Exact" {
			return 1, 0, asked == value
		}
	}
	trimmed := strings.TrimRight(value, "/")
	return 0, len(trimmed), asked == trimmed || strings.HasPrefix(asked, cmp.Or(trimmed, "")+"/")
}
