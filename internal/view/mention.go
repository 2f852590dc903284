package view

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// said is a text in the content of a member, and where it stands.
type said struct {
	where string
	// name of the variable or flag whose value it is, if it is one.
	name string
	text string
}

// mentions finds, by caller and called, where the one names a Service of the other.
func mentions(in GraphInput, members []Caller) map[string][]Mention {
	owner := map[string]string{}
	for _, m := range members {
		for _, s := range m.Services {
			owner[s] = m.Name
		}
	}
	finder := &hostFinder{owner: owner, namespaces: namespacesOf(in)}
	out := map[string][]Mention{}
	for _, o := range in.Objects {
		for _, s := range sayings(o, in.Objects) {
			for _, m := range finder.find(s) {
				key := o.GetName() + " " + owner[m.Service]
				if !slices.Contains(out[key], m) {
					out[key] = append(out[key], m)
				}
			}
		}
	}
	for key := range out {
		slices.SortStableFunc(out[key], func(a, b Mention) int { return cmp.Compare(btoi(b.Sure), btoi(a.Sure)) })
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func namespacesOf(in GraphInput) []string {
	out := []string{}
	for _, s := range Slots(&in.Stack) {
		out = append(out, s.Namespace)
	}
	return out
}

// hostFinder finds Services of the stack in texts.
type hostFinder struct {
	owner      map[string]string
	namespaces []string
}

// hostLike is a word that may be a host: what may stand before it is looked at by hand, as there is no lookbehind.
var hostLike = regexp.MustCompile(`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`)

// kubeVariable is what Kubernetes tells each Pod of the Services in its namespace.
var kubeVariable = regexp.MustCompile(`\b([A-Z][A-Z0-9_]*)_SERVICE_(HOST|PORT)\b`)

var portAfter = regexp.MustCompile(`^:[0-9]{1,5}([^0-9.\w]|$)`)

func (f *hostFinder) find(s said) []Mention {
	var out []Mention
	for _, m := range hostLike.FindAllStringIndex(s.text, -1) {
		service, qualified := f.serviceOf(s.text[m[0]:m[1]])
		if service == "" || !apart(s.text, m[0], m[1]) {
			continue
		}
		sure := qualified || hostBefore(s.text[:m[0]]) || portAfter.MatchString(s.text[m[1]:])
		whole, name := s.wholeValue(m[0], m[1])
		if sure || whole {
			out = append(out, Mention{Service: service, Where: s.where, Sure: sure || hostName.MatchString(name)})
		}
	}
	for _, m := range kubeVariable.FindAllStringSubmatch(s.text, -1) {
		service := strings.ToLower(strings.ReplaceAll(m[1], "_", "-"))
		if f.owner[service] != "" {
			out = append(out, Mention{Service: service, Where: s.where, Sure: true})
		}
	}
	return out
}

// serviceOf is the Service of the stack that a host is, and whether its namespace stands behind it.
func (f *hostFinder) serviceOf(host string) (service string, qualified bool) {
	name, rest, found := strings.Cut(host, ".")
	switch {
	case f.owner[name] == "":
		return "", false
	case !found:
		return name, false
	}
	namespace, tail, _ := strings.Cut(rest, ".")
	inCluster := tail == "" || tail == "svc" || strings.HasPrefix(tail, "svc.")
	if inCluster && slices.Contains(f.namespaces, namespace) {
		return name, true
	}
	return "", false // a file, another domain, or another namespace
}

// apart is whether what was found is a word of its own, and not part of a path, an image or a longer name.
func apart(text string, from, to int) bool {
	if from > 0 && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$", rune(text[from-1])) {
		return false
	}
	if from > 0 && text[from-1] == '/' && !strings.HasSuffix(text[:from], "//") {
		return false
	}
	return to == len(text) || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-", rune(text[to]))
}

var userInfo = regexp.MustCompile(`://[^/\s"'@]*@$`)

// hostBefore is whether what comes before says that a host follows.
func hostBefore(text string) bool {
	return strings.HasSuffix(text, "://") || userInfo.MatchString(text)
}

// hostName is a variable, key or flag that holds a host.
var hostName = regexp.MustCompile(`(?i)(host|addr|url|uri|server|endpoint|upstream|backend|target|origin|dsn|broker|peer)`)

// keyBefore is a key with its value's beginning, in the usual kinds of configuration.
var keyBefore = regexp.MustCompile(`([A-Za-z0-9_.-]+)["']?\s*[:=]\s*["']?$`)

// wholeValue is whether what was found is all of a value, and the name of what it is the value of.
func (s said) wholeValue(from, to int) (whole bool, name string) {
	start := strings.LastIndexByte(s.text[:from], '\n') + 1
	end := len(s.text)
	if i := strings.IndexByte(s.text[to:], '\n'); i >= 0 {
		end = to + i
	}
	before, after := s.text[start:from], strings.Trim(s.text[to:end], " \t\r\"',;")
	switch {
	case after != "":
		return false, ""
	case strings.Trim(before, " \t\"'") == "" && start == 0 && end == len(s.text):
		return true, s.name
	}
	if m := keyBefore.FindStringSubmatch(before); m != nil {
		return true, m[1]
	}
	return false, ""
}

// sayings are the texts in which a workload may name who it calls.
func sayings(workload *unstructured.Unstructured, objects []*unstructured.Unstructured) []said {
	var out []said
	if podTemplate(workload) == nil {
		return nil
	}
	files := &fileReader{objects: objects}
	for _, c := range containersOf(workload) {
		name := fmt.Sprint(c["name"])
		out = append(out, commandLines(name, c)...)
		out = append(out, variables(c, files)...)
	}
	volumes, _, _ := unstructured.NestedSlice(podTemplate(workload), "spec", "volumes")
	for _, v := range volumes {
		out = append(out, files.volume(v)...)
	}
	return out
}

func commandLines(container string, c map[string]any) []said {
	var out []said
	for _, path := range [][]string{
		{"command"},
		{"args"},
		{"lifecycle", "postStart", "exec", "command"},
		{"lifecycle", "preStop", "exec", "command"},
		{"livenessProbe", "exec", "command"},
		{"readinessProbe", "exec", "command"},
		{"startupProbe", "exec", "command"},
	} {
		words, _, _ := unstructured.NestedStringSlice(c, path...)
		before := ""
		for _, word := range words {
			out = append(out, said{where: strings.Join(path, ".") + " of container " + container, name: before, text: word})
			before = ""
			if strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
				before = word // the value of --host may be the next word
			}
		}
	}
	return out
}

func variables(c map[string]any, files *fileReader) []said {
	var out []said
	list, _, _ := unstructured.NestedSlice(c, "env")
	for _, item := range list {
		v, _ := item.(map[string]any)
		name, _ := v["name"].(string)
		if value, ok := v["value"].(string); ok {
			out = append(out, said{where: "env " + name, name: name, text: value})
		}
		for _, kind := range []string{"configMap", "secret"} {
			object, _, _ := unstructured.NestedString(v, "valueFrom", kind+"KeyRef", "name")
			key, _, _ := unstructured.NestedString(v, "valueFrom", kind+"KeyRef", "key")
			for _, s := range files.read(kind, object, key) {
				out = append(out, said{where: "env " + name + " (" + s.where + ")", name: name, text: s.text})
			}
		}
	}
	from, _, _ := unstructured.NestedSlice(c, "envFrom")
	for _, item := range from {
		source, _ := item.(map[string]any)
		for _, kind := range []string{"configMap", "secret"} {
			object, _, _ := unstructured.NestedString(source, kind+"Ref", "name")
			out = append(out, files.read(kind, object, "")...)
		}
	}
	return out
}

// fileReader reads the ConfigMaps and Secrets of the content.
type fileReader struct{ objects []*unstructured.Unstructured }

func (f *fileReader) volume(volume any) []said {
	v, _ := volume.(map[string]any)
	configMap, _, _ := unstructured.NestedString(v, "configMap", "name")
	secret, _, _ := unstructured.NestedString(v, "secret", "secretName")
	out := append(f.read("configMap", configMap, ""), f.read("secret", secret, "")...)
	sources, _, _ := unstructured.NestedSlice(v, "projected", "sources")
	for _, item := range sources {
		source, _ := item.(map[string]any)
		for _, kind := range []string{"configMap", "secret"} {
			name, _, _ := unstructured.NestedString(source, kind, "name")
			out = append(out, f.read(kind, name, "")...)
		}
	}
	return out
}

// read is one key, or all, of a ConfigMap or Secret. Where something stands is all that is ever told of a Secret.
func (f *fileReader) read(kind, name, key string) []said {
	var out []said
	for _, o := range f.objects {
		if name == "" || o.GetName() != name || !strings.EqualFold(o.GetKind(), kind) {
			continue
		}
		for _, field := range []string{"data", "stringData"} {
			data, _, _ := unstructured.NestedStringMap(o.Object, field)
			for _, k := range keysOf(data, nil) {
				text := data[k]
				if raw, err := base64.StdEncoding.DecodeString(text); err == nil && kind == "secret" && field == "data" {
					text = string(raw)
				}
				if key == "" || k == key {
					out = append(out, said{where: o.GetKind() + " " + name + ", key " + k, name: k, text: text})
				}
			}
		}
	}
	return out
}
