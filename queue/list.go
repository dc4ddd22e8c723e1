package queue

// node is a place in a list, kept inside the value that is listed, so that
// joining and leaving a list allocates nothing and leaving takes O(1).
type node[T any] struct {
	prev, next *node[T]
	owner      *T // the value this node sits in, set once when the value is made
}

// list is a doubly linked list of nodes. The zero list is empty.
type list[T any] struct{ head, tail *node[T] }

// front returns the first value, nil if there is none.
func (l *list[T]) front() *T {
	if l.head == nil {
		return nil
	}
	return l.head.owner
}

func (l *list[T]) pushBack(n *node[T]) {
	n.prev, n.next = l.tail, nil
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
}

// remove takes out n, which must be in l.
func (l *list[T]) remove(n *node[T]) {
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.prev, n.next = nil, nil
}
