package render

import (
	"errors"
	"fmt"
	"strings"
)

// maxMessage bounds the message of an Error; a status must not grow with what a template says.
const maxMessage = 3000

// Error says why a source cannot be rendered, or its content not be released. Trying again does not help until someone
// changes what it names.
type Error struct {
	reason  string
	message string
}

// Error says what is wrong, where, and what to do.
func (e *Error) Error() string { return e.message }

// Reason is a constant of api/v1alpha1.
func (e *Error) Reason() string { return e.reason }

// ReasonOf returns the reason of an error of this package, or "" for any other.
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.reason
	}
	return ""
}

func refuse(reason, format string, args ...any) error {
	return &Error{reason: reason, message: shorten(fmt.Sprintf(format, args...), maxMessage)}
}

// shorten keeps the beginning and the end: the cause of a long chain of errors stands at its end.
func shorten(text string, limit int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= limit {
		return text
	}
	half := (limit - len(" … ")) / 2
	return strings.ToValidUTF8(text[:half], "") + " … " + strings.ToValidUTF8(text[len(text)-half:], "")
}

// listed joins names for people, and counts those that are too many.
func listed(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}
