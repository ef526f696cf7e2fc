//! Frames as bytes.

/// The body, after the type and the size of a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Body(pub(super) Vec<u8>);

impl Body {
    pub(super) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn string(self, value: &str) -> Self {
        self.int(i32::try_from(value.len()).unwrap()).bytes(value.as_bytes())
    }

    pub(super) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend(value);
        self
    }

    /// As a frame of type 16 or above.
    pub(super) fn frame(&self, kind: i32) -> Vec<u8> {
        let size = i32::try_from(self.0.len()).unwrap();
        [&kind.to_be_bytes()[..], &size.to_be_bytes(), &self.0].concat()
    }
}

/// Reads the fields of a frame.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().unwrap())
    }

    pub(super) fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.bytes(8).try_into().unwrap())
    }

    pub(super) fn string(&mut self) -> String {
        let size = usize::try_from(self.int()).unwrap();
        String::from_utf8(self.bytes(size).to_vec()).unwrap()
    }

    pub(super) fn id(&mut self) -> [u8; 16] {
        self.bytes(16).try_into().unwrap()
    }

    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}

/// Takes the first frame off `bytes`, once it is complete: its type and its body.
pub(super) fn take(bytes: &mut Vec<u8>) -> Option<(i32, Vec<u8>)> {
    let int_at = |at: usize| Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().unwrap()));
    let kind = int_at(0)?;
    let (head, size) = match kind {
        // DISCO and PVDISCO have no fields.
        5 | 15 => (4, 0),
        // The texts and names of revision 1 begin with their size, which is the only field.
        _ => (8, usize::try_from(int_at(4)?).unwrap()),
    };
    let body = bytes.get(head..head + size)?.to_vec();
    bytes.drain(..head + size);
    Some((kind, body))
}
