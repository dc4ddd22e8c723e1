// Package provision makes and compares the databases that a settings file names:
// schema says what they are like, settings say where they are.
//
// # Guaranteed
//
//   - Every call is idempotent, and nothing that is there is changed or dropped: a
//     table or a grant that differs is a [schema.Difference].
//   - Tables of today and tomorrow exist after [ApplySet].
//   - One server that fails hides none of the others: each gets its turn, and the
//     error names all that failed.
//
// # Not guaranteed
//
// Tables of later days are the schedule's to make. What is compared may change
// while it is compared.
package provision
