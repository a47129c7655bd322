//! Records of whole words, of the same length each, that keep their place while more come.

/// About how many words a page has room for: 8 MiB, several large pages of the system.
const PAGE_WORDS: usize = 1 << 20;

/// Words of a cache line.
const LINE: usize = 8;

/// Where a record lies, which is computed once for all accumulators.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// Number of the record.
    pub(crate) number: u32,
    page: u32,
    /// First word of the state.
    from: u32,
}

impl Spot {
    /// In place of a record that is not there.
    pub(crate) const NONE: Self = Self {
        number: u32::MAX,
        page: u32::MAX,
        from: 0,
    };
}

/// Records by number, filled up to whole cache lines: a header of some words, then the state.
pub(crate) struct Records {
    pages: Vec<Vec<u64>>,
    /// A page holds two to the power of this many records.
    page_bits: u32,
    stride: usize,
    header: usize,
    /// The state that a record begins with.
    empty: Vec<u64>,
    count: usize,
}

impl Records {
    /// No records yet; each will begin with the state `empty` behind `header` words.
    pub(crate) fn new(header: usize, empty: Vec<u64>) -> Self {
        let stride = (header + empty.len()).next_multiple_of(LINE).max(LINE);
        Self {
            pages: Vec::new(),
            page_bits: (PAGE_WORDS / stride).max(1).ilog2(),
            stride,
            header,
            empty,
            count: 0,
        }
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of the records. Of a page, memory is taken where it has been written.
    pub(crate) fn bytes(&self) -> usize {
        self.count * self.stride * size_of::<u64>()
    }

    /// Adds a record with these words as its header.
    pub(crate) fn push(&mut self, header: &[u64]) {
        if self.count.is_multiple_of(1 << self.page_bits) {
            self.pages.push(room(self.stride << self.page_bits));
        }
        self.count += 1;
        if let Some(page) = self.pages.last_mut() {
            let next = page.len() + self.stride;
            page.extend_from_slice(header);
            page.extend_from_slice(&self.empty);
            page.resize(next, 0);
        }
    }

    /// Page and first word of a record.
    #[inline]
    fn place(&self, number: usize) -> (usize, usize) {
        let within = number & ((1 << self.page_bits) - 1);
        (number >> self.page_bits, within * self.stride)
    }

    /// Where a record lies.
    #[inline]
    pub(crate) fn spot(&self, number: u32) -> Spot {
        let (page, start) = self.place(number as usize);
        Spot {
            number,
            page: page as u32,
            from: (start + self.header) as u32,
        }
    }

    /// The state of the record that lies there, to be changed.
    #[inline]
    pub(crate) fn at(&mut self, spot: Spot) -> &mut [u64] {
        let from = spot.from as usize;
        &mut self.pages[spot.page as usize][from..from + self.empty.len()]
    }

    /// Header and state of a record.
    #[inline]
    pub(crate) fn whole(&self, number: usize) -> &[u64] {
        let (page, start) = self.place(number);
        &self.pages[page][start..start + self.header + self.empty.len()]
    }

    /// The state of a record.
    #[inline]
    pub(crate) fn state(&self, number: usize) -> &[u64] {
        &self.whole(number)[self.header..]
    }

    /// The state of a record, to be changed.
    #[inline]
    pub(crate) fn state_mut(&mut self, number: usize) -> &mut [u64] {
        let (page, start) = self.place(number);
        let from = start + self.header;
        &mut self.pages[page][from..from + self.empty.len()]
    }

    /// Starts loading a record into the cache, up to so many words of its state.
    #[inline]
    pub(crate) fn prefetch(&self, number: usize, words: usize) {
        for line in self.whole(number)[..self.header + words].chunks(LINE) {
            prefetch(line.as_ptr());
        }
    }

    /// Starts loading all of a record.
    #[inline]
    pub(crate) fn prefetch_all(&self, number: usize) {
        self.prefetch(number, self.empty.len());
    }
}

/// Room for so many items, in large pages where the system gives them: they are reached in no order, and with small pages
/// every other access would wait for a page table as well.
pub(crate) fn room<T>(items: usize) -> Vec<T> {
    let room: Vec<T> = Vec::with_capacity(items);
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let first = room.as_ptr() as usize;
        let begin = first.next_multiple_of(LARGE);
        let end = (first + room.capacity() * size_of::<T>()) / LARGE * LARGE;
        if begin < end {
            // SAFETY: the range lies within memory that this vector owns. The call is a hint about how the memory is mapped:
            // it changes no content, and where it fails, small pages remain.
            unsafe { libc::madvise(begin as *mut _, end - begin, libc::MADV_HUGEPAGE) };
        }
    }
    room
}

/// Asks the processor to load a cache line; without effect where the platform has no such instruction.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing and cannot fault, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
