package view

import (
	"fmt"
	"reflect"
	"strings"
)

// fields gathers the fields in which two objects differ.
type fields struct {
	secret bool
	found  []FieldChange
}

func (f *fields) values(path string, a, b any) {
	if equalValues(a, b) {
		return
	}
	switch a := a.(type) {
	case map[string]any:
		if other, ok := b.(map[string]any); ok {
			f.maps(path, a, other)
			return
		}
	case []any:
		if other, ok := b.([]any); ok {
			f.lists(path, a, other)
			return
		}
	}
	f.note(path, Changed, a, b)
}

// equalValues takes numbers for equal whatever type they were read as.
func equalValues(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	switch a.(type) {
	case int64, float64, int:
		switch b.(type) {
		case int64, float64, int:
			return fmt.Sprint(a) == fmt.Sprint(b)
		}
	}
	return false
}

func (f *fields) maps(path string, a, b map[string]any) {
	for _, key := range keysOf(a, b) {
		before, had := a[key]
		after, has := b[key]
		at := join(path, key)
		switch {
		case !has:
			f.one(at, Removed, before)
		case !had:
			f.one(at, Added, after)
		default:
			f.values(at, before, after)
		}
	}
}

// join appends a key to a path; one that has dots or slashes of its own is put in brackets.
func join(path, key string) string {
	if strings.ContainsAny(key, "./") {
		return path + "[" + key + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// one notes something that is on one side alone, down to the keys of a Secret, so that each is told by its name.
func (f *fields) one(path string, change Change, value any) {
	if inner, ok := value.(map[string]any); ok && f.secret && secretData(path) {
		for _, key := range keysOf(inner, nil) {
			f.note(join(path, key), change, nil, nil)
		}
		return
	}
	if change == Removed {
		f.note(path, change, value, nil)
		return
	}
	f.note(path, change, nil, value)
}

func secretData(path string) bool { return path == "data" || path == "stringData" }

func (f *fields) note(path string, change Change, a, b any) {
	if f.secret {
		f.found = append(f.found, FieldChange{Path: path, Change: change, Hidden: true})
		return
	}
	f.found = append(f.found, FieldChange{Path: path, Change: change, From: a, To: b})
}

// lists compares by name where every item has one of its own, and else by place.
func (f *fields) lists(path string, a, b []any) {
	left, right := named(a), named(b)
	if left == nil || right == nil {
		f.places(path, a, b)
		return
	}
	before := len(f.found)
	for _, name := range keysOf(left, right) {
		at := path + "[" + name + "]"
		x, had := left[name]
		y, has := right[name]
		switch {
		case !has:
			f.one(at, Removed, x)
		case !had:
			f.one(at, Added, y)
		default:
			f.values(at, x, y)
		}
	}
	if len(f.found) == before {
		f.note(path, Changed, "another order", nil) // of containers and variables the order may matter
	}
}

func (f *fields) places(path string, a, b []any) {
	for i := range max(len(a), len(b)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(b):
			f.one(at, Removed, a[i])
		case i >= len(a):
			f.one(at, Added, b[i])
		default:
			f.values(at, a[i], b[i])
		}
	}
}

// named are the items of a list by their name; nil where not every item has one, or two have the same.
func named(list []any) map[string]any {
	out := map[string]any{}
	for _, item := range list {
		fields, _ := item.(map[string]any)
		name, _ := fields["name"].(string)
		if _, twice := out[name]; twice || name == "" {
			return nil
		}
		out[name] = item
	}
	return out
}
