package entry

import (
	"errors"
	"fmt"
)

// Error says why a route cannot be written. Trying again does not help until someone changes what it names.
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
	return &Error{reason: reason, message: fmt.Sprintf(format, args...)}
}
