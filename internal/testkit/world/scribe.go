package world

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// value writes plain data down field by field, so that a field that is new is not forgotten.
func (s *scribe) value(v any) {
	if v == nil {
		s.flags(false)
		return
	}
	r := reflect.ValueOf(v)
	writerOf(r.Type())(s, r)
}

// writer writes a value of one type down.
type writer func(*scribe, reflect.Value)

var writers sync.Map // of reflect.Type to writer

func writerOf(t reflect.Type) writer {
	if known, ok := writers.Load(t); ok {
		return known.(writer)
	}
	w := newWriter(t)
	writers.Store(t, w)
	return w
}

var (
	timeType = reflect.TypeFor[time.Time]()
	metaTime = reflect.TypeFor[metav1.Time]()
	micro    = reflect.TypeFor[metav1.MicroTime]()
)

func newWriter(t reflect.Type) writer {
	switch {
	case t == timeType:
		return func(s *scribe, v reflect.Value) { s.time(v.Interface().(time.Time)) }
	case t == metaTime:
		return func(s *scribe, v reflect.Value) { s.time(v.Interface().(metav1.Time).Time) }
	case t == micro:
		return func(s *scribe, v reflect.Value) { s.time(v.Interface().(metav1.MicroTime).Time) }
	case t.Kind() == reflect.Struct:
		return structWriter(t)
	case t.Kind() == reflect.Slice:
		return writeList
	case t.Kind() == reflect.Map:
		return writeMap
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Interface:
		return writePointer
	case t.Kind() == reflect.String:
		return func(s *scribe, v reflect.Value) { s.text(v.String()) }
	case t.Kind() == reflect.Bool:
		return func(s *scribe, v reflect.Value) { s.flags(v.Bool()) }
	case reflect.Zero(t).CanInt():
		return func(s *scribe, v reflect.Value) { s.number(v.Int()) }
	}
	panic("a fingerprint cannot be taken of a " + t.String())
}

func writeList(s *scribe, v reflect.Value) {
	s.number(int64(v.Len()))
	for i := range v.Len() {
		element := v.Index(i)
		writerOf(element.Type())(s, element)
	}
}

func writeMap(s *scribe, v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	s.number(int64(len(keys)))
	for _, key := range keys {
		s.text(key.String())
		value := v.MapIndex(key)
		writerOf(value.Type())(s, value)
	}
}

func writePointer(s *scribe, v reflect.Value) {
	s.flags(!v.IsNil())
	if !v.IsNil() {
		writerOf(v.Elem().Type())(s, v.Elem())
	}
}

// wording are fields for people, since when something has been said to them, and names that are made up as one goes.
// Versions are compared where they are used.
var wording = map[string]bool{
	"Message": true, "WaitingFor": true, "OutcomeMessage": true, "Because": true, "Differs": true, "LastTransitionTime": true,
	"UID": true, "ReleaseUID": true, "ResourceVersion": true,
}

// field of a struct that counts.
type field struct {
	index int
	write writer
}

func structWriter(t reflect.Type) writer {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if wording[f.Name] || t == reflect.TypeFor[plan.Pod]() && f.Name == "Name" {
			continue
		}
		write := lazyWriter(f.Type)
		if f.Name == "WaitingSince" {
			write = func(s *scribe, v reflect.Value) { s.flags(v.IsNil()) }
		}
		if strings.HasSuffix(f.Name, "Epoch") {
			write = func(s *scribe, v reflect.Value) { s.epoch(v.Int()) }
		}
		fields = append(fields, field{i, write})
	}
	return func(s *scribe, v reflect.Value) {
		for _, f := range fields {
			f.write(s, v.Field(f.index))
		}
	}
}

// lazyWriter looks the writer up when it is first used, so that types may refer to themselves.
func lazyWriter(t reflect.Type) writer {
	return func(s *scribe, v reflect.Value) { writerOf(t)(s, v) }
}
