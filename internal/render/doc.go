// Package render turns a checkout into the objects of every slot, and refuses what would leak out of one.
//
// Charts are programs that others wrote, and Helm's engine cannot be told to stop. Run therefore renders in a child: the
// same executable, started again with bounded memory and CPU time, without network, environment or files to write, and
// killed when its time is up. A program that calls Run must call MaybeChild first in main, and its tests in TestMain.
//
// What a render depends on is in its Request and its checkout alone: no cluster, registry or clock of Lockstep's is
// asked. Functions of a template that are random, or read the time, can differ from slot to slot; that is a warning.
package render
