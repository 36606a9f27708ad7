/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    TooLong,
    NotImplemented,
    Internal,
}

impl Status {
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::Internal => "500 Internal Server Error",
        }
    }
}

/// What comes from a client until its request has ended.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
}

/// The longest request: a line and its headers.
const MOST: usize = 8192;

impl Incoming {
    /// Takes what has come. Once the request has ended: the path it asks for, or what to answer instead.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<Result<String, Status>> {
        let room = MOST.saturating_sub(self.bytes.len());
        let is_too_long = bytes.len() > room;
        // The end may have begun before.
        let start = self.bytes.len().saturating_sub(3);
        self.bytes.extend(bytes.iter().take(room));
        let news = self.bytes.get(start..).unwrap_or_default();
        let has_ended = |end: &[u8]| news.windows(end.len()).any(|window| window == end);
        if has_ended(b"\r\n\r\n") || has_ended(b"\n\n") {
            return Some(path(&self.bytes));
        }
        is_too_long.then_some(Err(Status::TooLong))
    }
}

/// The path below the served folder that a request asks for.
fn path(request: &[u8]) -> Result<String, Status> {
    let line = request.split(|byte| *byte == b'\n').next();
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let mut words = line.ok_or(Status::BadRequest)?.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Status::BadRequest);
    }
    if method != "GET" {
        return Err(Status::NotImplemented);
    }
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let target = target.strip_prefix('/').ok_or(Status::BadRequest)?;
    let path = decoded(target).ok_or(Status::BadRequest)?;
    if path.contains('\0') {
        return Err(Status::BadRequest);
    }
    // The kernel refuses what leads out of the folder as well; here it is refused whether or not it is there.
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(Status::Forbidden);
    }
    Ok(if path.is_empty() || path.ends_with('/') {
        path + "index.html"
    } else {
        path
    })
}

/// Without percent signs.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let number = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
        decoded.push(u8::try_from(number).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Result<String, Status>> {
        Incoming::default().take(text.as_bytes())
    }

    #[test]
    fn a_request_names_a_file_or_is_refused() {
        for (target, want) in [
            ("/a.txt", Ok("a.txt")),
            ("/", Ok("index.html")),
            ("/sub/", Ok("sub/index.html")),
            ("/a%20b?c=d", Ok("a b")),
            ("/..a/b..", Ok("..a/b..")),
            ("/../secret", Err(Status::Forbidden)),
            ("/sub/../../secret", Err(Status::Forbidden)),
            ("/%2e%2e/secret", Err(Status::Forbidden)),
            ("/..%2fsecret", Err(Status::Forbidden)),
            ("//etc/passwd", Err(Status::Forbidden)),
            ("/%2fetc/passwd", Err(Status::Forbidden)),
            ("/a%00", Err(Status::BadRequest)),
            ("/a%2", Err(Status::BadRequest)),
            ("/a%fg", Err(Status::BadRequest)),
            ("/%ff", Err(Status::BadRequest)),
            ("a.txt", Err(Status::BadRequest)),
            ("http://other/", Err(Status::BadRequest)),
        ] {
            let asked = asked(&format!("GET {target} HTTP/1.0\r\nHost: x\r\n\r\n"));
            assert_eq!(asked, Some(want.map(str::to_owned)), "{target}");
        }
        for (text, want) in [
            ("POST / HTTP/1.0\r\n\r\n", Status::NotImplemented),
            ("GET /\r\n\r\n", Status::BadRequest),
            ("GET / SPDY/3\r\n\r\n", Status::BadRequest),
            ("GET /a b HTTP/1.0\r\n\r\n", Status::BadRequest),
            ("\r\n\r\n", Status::BadRequest),
        ] {
            assert_eq!(asked(text), Some(Err(want)), "{text}");
        }
    }

    #[test]
    fn a_request_may_come_byte_by_byte() {
        let mut incoming = Incoming::default();
        let request = b"GET /a HTTP/1.0\r\n\r\n";
        let (last, first) = request.split_last().unwrap();
        assert!(first.iter().all(|byte| incoming.take(&[*byte]).is_none()));
        assert_eq!(incoming.take(&[*last]), Some(Ok("a".to_owned())));
    }

    #[test]
    fn a_request_without_end_is_refused() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.take(&[b'a'; MOST]), None);
        assert_eq!(incoming.take(b"a"), Some(Err(Status::TooLong)));
    }
}
